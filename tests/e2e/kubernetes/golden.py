"""The golden pods of injection, in tests/inject/golden: each pod with what it must become, or why it is refused."""

from pathlib import Path

from cluster import Cluster

GOLDEN = Path(__file__).resolve().parents[2] / "inject/golden"
CHANGED = sorted(file.parent for file in GOLDEN.glob("*/expected.yaml"))
REFUSED = sorted(file.parent for file in GOLDEN.glob("*/refused.txt"))


def create(cluster: Cluster, namespace: str, file: str) -> dict[str, dict]:
    """Creates each golden pod, or what is expected of it, and gives back what was stored, by the name of its directory."""
    files = [argument for directory in CHANGED for argument in ("-f", directory / file)]
    names = [name.removeprefix("pod/") for name in cluster.kubectl("create", "-n", namespace, "-o", "name", *files).split()]
    stored = {pod["metadata"]["name"]: pod for pod in cluster.lists(f"/api/v1/namespaces/{namespace}/pods")}
    return {directory.name: stored[name] for directory, name in zip(CHANGED, names, strict=True)}


def wrong() -> dict[str, str]:
    """Those that are refused, as they are written."""
    return {directory.name: (directory / "pod.yaml").read_text() for directory in REFUSED}


def reasons(name: str) -> list[str]:
    """Why, without numbers and the pod's name."""
    return [line.split(f"Pod/{name}: ", 1)[1] for line in (GOLDEN / name / "refused.txt").read_text().splitlines()]
