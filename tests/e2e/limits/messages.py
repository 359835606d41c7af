"""Random messages of any type, mostly such as a caller could mean; and whether a message that came back is valid."""

import random
import string

from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

TARGETS = ["", "ncp", "ncp20", "functiongraph", "lying-ncp", "lying-ncp20", "lying-functiongraph"]
NAMES = ["hello", "a", "b-1", "Pack_2", "x" * 50, "index"]
ODD_TEXT = ["", " ", "-", "_", "..", "a/b", "a?b#c", "%2e%2e", "x" * 51, "x" * 300, "é", "한글", "\u202e", "\0", "\n", "\x7f", "😀", "null", "0", "-1", "latest", "!latest", "\ufeff", "{}", "'\"", "$ref"]
IDS = ["0f" * 16, "0F" * 16, "12345678-1234-1234-1234-123456789012", "0" * 31, "../../x"]
# Stands in arguments and in code, and may stand in no log.
CANARY = "canary-4111-1111"
JSON_TEXTS = ["{}", '{"card":"canary-4111-1111"}', '{"card":"canary-4111-1111" broken', '{"a":1}', "[]", "null", "1e999", '{"a":{"b":[1,2,{"c":null}]}}', "{", '{"a":1}x', '"\\ud800"', "9007199254740993", "-0", "[" * 600 + "]" * 600, '{"a":1,"a":2}', ""]
# By the end of a field's name: what a caller could mean.
MEANT = {
    "target": TARGETS, "package_name": ["", "-", "default", *NAMES], "name": NAMES, "activation_id": IDS, "request_id": ["", "one", "two", "x" * 300],
    "runtime": ["nodejs:22", "python:3.13", "sequence", "custom image", "Node.js18.15", "Python3.10", "Custom Image", "http"], "main": ["main", "index.handler", "-"],
    "source": ["function main(p){ return p }", f"function main(p){{ return '{CANARY}' }}", "exports.handler = async (e, c) => e", "def main(p):\n  return p", "function main(){ throw new Error('x') }", "x" * 100_000],
    "version": ["", "latest", "1", "v1", "!prod"], "text": JSON_TEXTS, "cron_option": ["0 * * * *", "* * * * *", "61 * * * *"], "components": ["hello", "-/hello", "Pack_2/a", "/_/a"],
    "image_uri": ["registry.example/team/image:1", "swr.example/team/image"], "code_type": ["inline", "zip", "obs", "jar"], "destination": ["OBS", "SMN", "DIS", "FunctionGraph"],
}
NUMBERS = [0, 1, -1, 2, 3, 10, 100, 128, 256, 1000, 1 << 15, (1 << 31) - 1, -(1 << 31)]
WIDE = [*NUMBERS, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63), 253402300800, -62135596801]
UNSIGNED = [0, 1, 255, (1 << 32) - 1]
DOUBLES = [0.0, -0.0, 1.5, 1e300, -1e-300, float("nan"), float("inf"), float("-inf"), 9007199254740993.0]
INTEGERS = {FieldDescriptor.CPPTYPE_INT32: NUMBERS, FieldDescriptor.CPPTYPE_INT64: WIDE, FieldDescriptor.CPPTYPE_UINT32: UNSIGNED, FieldDescriptor.CPPTYPE_UINT64: UNSIGNED}


class Maker:
    """Makes messages with one source of random numbers, and remembers ids and page tokens that came back."""

    def __init__(self, dice: random.Random):
        self.dice, self.ids, self.tokens, self.sober = dice, [], [], False

    def message(self, kind: Descriptor, depth: int = 0) -> Message:
        message = message_factory.GetMessageClass(kind)()
        if depth == 0:
            # A sober caller sets little more than must be set, to what is usual, so that the call gets far.
            self.sober = self.dice.random() < 0.5
        # Some callers fill in nearly all, some nearly nothing.
        density = self.dice.choice([0.0, 0.0, 0.1] if self.sober else [0.15, 0.5, 0.9])
        for oneof in kind.oneofs:
            if self.dice.random() < (0.97 if self.sober else 0.85) and depth < 7:
                self.fill(message, self.dice.choice(oneof.fields), depth)
        for field in kind.fields:
            wanted = 0.97 if field.name in ("action_name", "trigger_name", "package_name", "target", "exec", "limits", "action", "trigger", "config", "activation_id") else density
            if field.containing_oneof is None and depth < 7 and self.dice.random() < wanted:
                self.fill(message, field, depth)
        return message

    def fill(self, message: Message, field: FieldDescriptor, depth: int) -> None:
        if field.message_type and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
            for _ in range(self.dice.choice([0, 1, 3])):
                if value.message_type:
                    getattr(message, field.name)[self.scalar(key)].CopyFrom(self.message(value.message_type, depth + 1))
                else:
                    getattr(message, field.name)[self.scalar(key)] = self.scalar(value)
        elif field.is_repeated:
            for _ in range(self.dice.choice([0, 1, 1, 2, 5] if depth else [1, 2, 40])):
                if field.message_type:
                    getattr(message, field.name).append(self.message(field.message_type, depth + 1))
                else:
                    getattr(message, field.name).append(self.scalar(field))
        elif field.message_type:
            getattr(message, field.name).CopyFrom(self.message(field.message_type, depth + 1))
        else:
            setattr(message, field.name, self.scalar(field))

    def scalar(self, field: FieldDescriptor):
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return self.binary() if field.type == FieldDescriptor.TYPE_BYTES else self.text(field.name)
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return self.dice.random() < 0.5
        if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
            return self.dice.choice([*(value.number for value in field.enum_type.values), *([99] if self.dice.random() < 0.1 else [])])
        if field.cpp_type in INTEGERS:
            if field.name == "nanos":
                return 0 if self.sober else self.dice.choice([0, 0, 1, 999_999_999, -1, 1 << 30])
            usual = [1, 2, 3, 60] if field.name == "seconds" else [128, 256]
            return self.dice.choice(usual if self.sober or self.dice.random() < 0.6 else INTEGERS[field.cpp_type])
        return self.dice.choice(DOUBLES)

    def text(self, name: str) -> str:
        roll = 0.99 if self.sober else self.dice.random()
        if roll < 0.1:
            return self.dice.choice(ODD_TEXT)
        if roll < 0.12:
            return "".join(self.dice.choices(string.printable + "é\u202e\u2028", k=self.dice.choice([3, 30, 3000, 100_000])))
        if name == "activation_id" and self.ids and (self.sober or roll < 0.7):
            return self.dice.choice(self.ids)
        if name == "page_token":
            return self.dice.choice(self.tokens) if self.tokens and (self.sober or roll < 0.8) else ""
        meant = next((values for end, values in MEANT.items() if name == end), None) or next((values for end, values in MEANT.items() if name.endswith(end)), NAMES)
        return self.dice.choice(meant)

    def binary(self) -> bytes:
        return self.dice.randbytes(self.dice.choice([0, 1, 100, 10_000, 400_000]))

    def metadata(self) -> list[tuple]:
        """What else a client may send with a call."""
        every = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("traceparent", "nonsense"), ("baggage", "a=b,c=d;e"), ("x-own", "v" * 5000),
                 ("trace-bin", bytes(range(256))), ("grpc-previous-rpc-attempts", "2"), ("grpc-previous-rpc-attempts", "many"), ("tracestate", "a=" + "b" * 300)]
        return [one for one in every if self.dice.random() < 0.08]

    def learn(self, answer) -> None:
        for message in answer if isinstance(answer, list) else [answer] if answer is not None else []:
            activations = [getattr(message, "activation", None), *getattr(message, "activations", [])]
            self.ids += [one.activation_id for one in activations if one is not None and one.activation_id]
            if token := getattr(message, "next_page_token", ""):
                self.tokens.append(token)
        del self.ids[:-50], self.tokens[:-50]


def invalid(message: Message) -> str | None:
    """What makes a message invalid that its types do not rule out: times and durations beyond their range."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp" and not (-62135596800 <= message.seconds <= 253402300799 and 0 <= message.nanos < 1_000_000_000):
        return f"a time of {message.seconds} s and {message.nanos} ns"
    if name == "google.protobuf.Duration":
        mixed = message.seconds * message.nanos < 0
        if mixed or abs(message.seconds) > 315_576_000_000 or abs(message.nanos) > 999_999_999:
            return f"a duration of {message.seconds} s and {message.nanos} ns"
    for field, value in message.ListFields():
        if field.message_type and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else [value]:
                if wrong := invalid(one):
                    return f"{field.name}: {wrong}"
    return None
