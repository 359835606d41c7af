"""The sidecar's JSON Schema inside the chart's values.schema.json.

`python3 tests/e2e/helm/embed.py target/release/faas-sidecar` renews it; `check.py` fails when it is stale.
"""

import json
import subprocess
import sys
from pathlib import Path

CHART = Path(__file__).resolve().parents[3] / "helm" / "faas-sidecar"
SCHEMA = CHART / "values.schema.json"


def definitions(binary: str) -> dict:
    """What `faas-sidecar schema` prints, as definitions of the chart's schema, with the differences that Helm makes."""
    config = json.loads(subprocess.run([binary, "schema"], check=True, capture_output=True, text=True).stdout)
    found = config.pop("$defs")
    del config["$schema"], config["required"], config["properties"]["targets"]["minProperties"]  # the chart has a target of its own
    found["functiongraph"]["properties"]["project_id"]["type"].remove("integer")  # Helm would round it
    for target in found.values():
        for url in target["properties"].keys() & {"base_url", "iam_url"}:
            target["properties"][url]["not"] = {"pattern": "^[a-z]+://[^/?#]*@"}  # the sidecar would not start with a password in it
    return {**found, "config": config}


def embedded(binary: str) -> str:
    """The whole schema, as it should be."""
    schema = json.loads(SCHEMA.read_text())
    schema["$defs"].update(definitions(binary))
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(embedded(sys.argv[1]))
