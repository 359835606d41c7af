"""The examples of the READMEs and of docs/kubernetes.md and docs/configuration.md: values render, manifests are valid, configurations pass the sidecar's check, commands run."""

import re
import shlex
import subprocess
import tempfile
import textwrap
from pathlib import Path

import kubernetes_validate
import yaml

from rig import BINARY, CHART, NEWEST, expect, helm, in_application, rendered

ROOT = CHART.parents[1]
PAGES = [CHART / "README.md", ROOT / "docs/kubernetes.md", ROOT / "README.md", ROOT / "docs/configuration.md"]
# What lint and the schema of Kubernetes do not know, or what is no YAML before Helm has read it.
FOREIGN = {"ExternalSecret"}


def blocks(page: Path, language: str) -> list[str]:
    found, fence, lines = [], None, []
    for line in page.read_text().splitlines():
        if not line.strip().startswith("```"):
            lines.append(line)
        elif fence is None:
            fence, lines = line.strip()[3:], []
        else:
            found += [textwrap.dedent("\n".join(lines))] if fence == language else []
            fence = None
    expect(fence is None, f"{page.name}: every block is closed")
    return found


def examples() -> None:
    values = manifests = configurations = 0
    for page in PAGES:
        for text in blocks(page, "yaml"):
            if "{{-" in text:
                continue
            item = yaml.safe_load(text)
            if "kind" in item:
                if item["kind"] not in FOREIGN:
                    kubernetes_validate.validate(item, NEWEST, strict=True)
                    manifests += 1
                if item["kind"] == "ConfigMap":
                    checked(page, item["data"]["faas.yaml"])
                    configurations += 1
            elif "targets" in item:
                checked(page, text)
                configurations += 1
            elif "faas-sidecar" in item:
                in_application(item["faas-sidecar"])
                values += 1
            elif "dependencies" not in item:
                rendered(item)
                values += 1
    expect(values >= 4 and manifests >= 2 and configurations >= 4, f"the pages have examples: {values}, {manifests}, {configurations}")
    shown = f"{values} examples of values render, {manifests} manifests are valid, {configurations} configurations pass the sidecar's check"
    print(f"documents: {shown}, {commands()} commands are right")


def checked(page: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([BINARY, "check", "--config", file.name], capture_output=True, text=True, timeout=30)
        expect(done.returncode == 0, f"{page.name}: the sidecar accepts the configuration: {done.stderr}")


def commands() -> int:
    """helm install and upgrade with the same flags, without a cluster: as template; files of values are elsewhere on the page."""
    count = 0
    for page in PAGES:
        for line in [line for text in blocks(page, "") for line in text.splitlines() if re.match("helm (install|upgrade) [^ ]+ helm/", line)]:
            words = shlex.split(line.replace(" -f values.yaml", "").replace(" --reset-then-reuse-values", ""))
            done = helm("template", words[2], CHART, "--kube-version", NEWEST, *words[4:])
            expect(done.returncode == 0 and words[3] == "helm/faas-sidecar", f"{page.name}: {line}: {done.stderr}")
            expect(
                "--reset-then-reuse-values" not in line or "--reset-then-reuse-values" in helm("upgrade", "--help").stdout, f"helm knows the flags of {line}"
            )
            count += 1
    expect(count >= 3, f"the pages have commands: {count}")
    return count
