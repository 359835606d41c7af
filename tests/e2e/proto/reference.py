"""The reference of the API as Markdown: `buf build -o -#format=json | python3 reference.py >docs/api.md`.

Everything comes from the protos and their comments: services in the order of their files, each method with its request and its answer, then the
types that several of them use. Fails when something has no comment, or when a field's comment does not say whether the field must be set.
"""

import json
import re
import sys
import textwrap

RULES = {"Required": "required", "Optional": "optional", "Output only": "output"}
SCALARS = {f"TYPE_{name.upper()}": name for name in "double float int64 uint64 int32 fixed64 fixed32 bool string bytes uint32 sint32 sint64".split()}
REPEATED = "LABEL_REPEATED"
# Where the numbers of a descriptor's path lead: google.protobuf.FileDescriptorProto.message_type and so on.
MESSAGE, ENUM, SERVICE = 4, 5, 6
FIELD, NESTED, METHOD, VALUE, ONEOF = 2, 3, 2, 2, 8


class Reference:
    def __init__(self, files):
        self.files = files
        self.comments = {}
        self.messages, self.enums = {}, {}
        # Where a name is explained: a method's messages are shown with it.
        self.anchors = {}
        for file in files:
            for place in file["sourceCodeInfo"]["location"]:
                text = place.get("leadingComments", "")
                # The comment of a whole file stands above its `syntax`.
                self.comments[(file["name"], *place.get("path", []))] = re.sub(r"(?m)^ ", "", text).strip()
            for at, message in enumerate(file.get("messageType", [])):
                self.messages[message["name"]] = (message, (file["name"], MESSAGE, at))
            for at, enum in enumerate(file.get("enumType", [])):
                self.enums[enum["name"]] = (enum, (file["name"], ENUM, at))
            for method in (method for service in file.get("service", []) for method in service["method"]):
                names = method["name"], method["inputType"].split(".")[-1], method["outputType"].split(".")[-1]
                self.anchors |= dict.fromkeys(names, method["name"].lower())
        self.anchors = {name: name.lower() for name in self.messages.keys() | self.enums.keys()} | self.anchors
        self.shown = set()

    def comment(self, place):
        text = self.comments.get(place)
        if not text:
            raise SystemExit(f"{place}: no comment")
        return text

    def prose(self, text):
        """A comment as paragraphs, wrapped at 100 columns."""

        def wrapped(line):
            return textwrap.fill(line, 100, subsequent_indent="  " * line.startswith("- "), break_long_words=False, break_on_hyphens=False)

        return "\n".join(map(wrapped, self.paragraphs(text).split("\n")))

    def paragraphs(self, text):
        """A comment as paragraphs; a line that begins with a cloud's name begins a line here too."""
        paragraphs = []
        for paragraph in text.split("\n\n"):
            lines = []
            for line in paragraph.split("\n"):
                begins = re.match(r"- |(ncp|functiongraph)[ ,:]|(FAILED_PRECONDITION|ALREADY_EXISTS) ", line) and (
                    not lines or lines[-1].endswith((".", ":")) or line.startswith("- ")
                )
                if lines and not begins:
                    lines[-1] += " " + line.strip()
                else:
                    lines.append(line)
            listed = lines[0].startswith("- ")
            paragraphs.append(("\n" if listed else "<br>\n").join(lines))
        return self.linked("\n\n".join(paragraphs))

    def linked(self, text):
        """Names of types and methods, outside of code, lead to them."""

        def link(found):
            name, field = found.group(1), found.group(2) or ""
            telling = field or len(re.findall("[A-Z]", name)) > 1
            return f"[{name}{field}](#{self.anchors[name]})" if name in self.anchors and telling else found.group(0)

        pieces = text.split("`")
        pieces[::2] = [re.sub(r"\b([A-Z][A-Za-z]+)(\.[a-z_]+)?\b", link, piece) for piece in pieces[::2]]
        return "`".join(pieces)

    def cell(self, text):
        return self.paragraphs(text).replace("\n\n", "<br>").replace("\n", "").replace("|", "\\|")

    def type_of(self, field, message):
        name = field.get("typeName", "").removeprefix(".")
        local = name.removeprefix("faas.v1.")
        entry = next((nested for nested in message.get("nestedType", []) if local == f"{message['name']}.{nested['name']}"), None)
        if entry:
            key, value = (self.type_of(part, message) for part in entry["field"])
            return f"map of {key} to {value}"
        kind = SCALARS.get(field["type"]) or (f"[{local}](#{self.anchors[local]})" if local != name else f"`{name}`")
        return f"repeated {kind}" if field["label"] == REPEATED else kind

    def fields(self, name):
        message, place = self.messages[name]
        self.shown.add(name)
        rows = []
        for at, field in enumerate(message.get("field", [])):
            text = self.comment((*place, FIELD, at))
            rule, rest = self.rule(text, (name, field["name"]))
            if "oneofIndex" in field and not field.get("proto3Optional"):
                rule = f"one of `{message['oneofDecl'][field['oneofIndex']]['name']}`"
            rows.append(f"| `{field['name']}` | {self.type_of(field, message)} | {field['number']} | {rule} | {self.cell(rest)} |")
        for at, oneof in enumerate(message.get("oneofDecl", [])):
            if not oneof["name"].startswith("_"):
                rows.append(f"| _`{oneof['name']}`_ | at most one of its fields | | | {self.cell(self.comment((*place, ONEOF, at)))} |")
        return ["| field | type | no. | | meaning |", "| --- | --- | --- | --- | --- |", *rows] if rows else ["No fields."]

    @staticmethod
    def rule(text, where):
        for begin, rule in RULES.items():
            if text.startswith(f"{begin}. "):
                return rule, text.removeprefix(f"{begin}. ")
            # "Required for sequences": when, is part of what it says.
            if text.startswith(f"{begin} ") or text.startswith(f"{begin},"):
                return "see there", text
        raise SystemExit(f"{where}: the comment does not begin with one of {', '.join(RULES)}")

    def service(self, file, at, service):
        yield f"## {service['name']}\n\n{self.prose(self.comment((file['name'], SERVICE, at)))}\n"
        for number, method in enumerate(service["method"]):
            request, answer = (method[key].removeprefix(".faas.v1.") for key in ("inputType", "outputType"))
            stream = "stream of " if method.get("serverStreaming") else ""
            yield f"### {method['name']}\n\n{self.prose(self.comment((file['name'], SERVICE, at, METHOD, number)))}\n"
            for title, name in (("Request", f"`{request}`"), ("Response", f"{stream}`{answer}`")):
                yield "\n".join([f"**{title}** {name}\n", *self.fields(name.split("`")[1]), ""])

    def message(self, name):
        text = self.prose(self.comment(self.messages[name][1]))
        return "\n".join([f"### {name}\n\n{text}\n", *self.fields(name), ""])

    def enum(self, name):
        enum, place = self.enums[name]
        rows = [f"| `{value['name']}` | {value.get('number', 0)} | {self.cell(self.comment((*place, VALUE, at)))} |" for at, value in enumerate(enum["value"])]
        return "\n".join([f"### {name}\n\n{self.prose(self.comment(place))}\n", "| value | no. | meaning |", "| --- | --- | --- |", *rows, ""])

    def page(self):
        common = next(file for file in self.files if file["name"].endswith("common.proto"))
        about = self.comments[(common["name"], 12)].split("\n\n", 1)[1]
        yield "# API reference: faas.v1\n"
        yield "Written from [`proto/faas/v1`](../proto/faas/v1) by `UPDATE_DOCS=1 tests/e2e/proto/run`; change"
        yield "the comments there. Codes and details of errors: [errors.md](errors.md).\n"
        yield self.prose(about) + "\n"
        yield "| service | methods |\n| --- | --- |"
        services = [(file, at, service) for file in self.files for at, service in enumerate(file.get("service", []))]
        for _, _, service in services:
            methods = ", ".join(f"[{method['name']}](#{method['name'].lower()})" for method in service["method"])
            yield f"| [{service['name']}](#{service['name'].lower()}) | {methods} |"
        yield ""
        for entry in services:
            yield from self.service(*entry)
        yield "## Types\n"
        for name in sorted((self.messages.keys() | self.enums.keys()) - self.shown):
            yield self.message(name) if name in self.messages else self.enum(name)


files = [file for file in json.load(sys.stdin)["file"] if file["name"].startswith("faas/v1/")]
print("\n".join(Reference(files).page()).rstrip())
