"""The README's table of values, from the comments in values.yaml.

`python3 tests/e2e/helm/table.py` renews it; `check.py` fails when it is stale, or when a value has no comment.
"""

import json
import re
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parents[3] / "helm" / "faas-sidecar"
README = CHART / "README.md"
BEGIN, END = "<!-- values, from values.yaml -->\n", "<!-- end of values -->\n"
# Kubernetes' own keys; one comment tells the whole.
WHOLE = {"resources", "securityContext"}


def rows() -> list[tuple[str, str, str]]:
    """Key, default and comment of each value, in their order."""
    text = (CHART / "values.yaml").read_text()
    return list(below(yaml.compose(text), yaml.safe_load(text), text.splitlines(), ""))


def below(node: yaml.MappingNode, values: dict, lines: list[str], path: str):
    for key, value in node.value:
        name = f"{path}{key.value}"
        said = comment(lines, key.start_mark.line)
        if isinstance(value, yaml.MappingNode) and not value.flow_style and key.value not in WHOLE:
            yield name, "", said
            yield from below(value, values[key.value], lines, f"{name}.")
        else:
            yield name, json.dumps(values[key.value], ensure_ascii=False), said


def comment(lines: list[str], line: int) -> str:
    """The comment right above a line, of its own indentation, as one sentence after another."""
    indent = len(lines[line]) - len(lines[line].lstrip())
    first = line
    while re.match(rf" {{{indent}}}# ?", lines[first - 1]) and first > 0:
        first -= 1
    said = [each.strip().removeprefix("#") for each in lines[first:line]]
    return " ".join(f"`{each.strip()}`." if each.startswith("   ") else each.strip() for each in said)


def table() -> str:
    def cell(text: str) -> str:
        return re.sub(r"([|<])", r"\\\1", text)

    lines = ["| value | default | what it is |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {f'`{default}`' if default else ''} | {cell(said)} |" for name, default, said in rows()]
    return "\n".join(lines) + "\n"


def renewed() -> str:
    """The whole README, as it should be."""
    before, rest = README.read_text().split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(renewed())
