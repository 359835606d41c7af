"""The real `helm` on the chart, and what Kubernetes says of what it renders. Used by the checks beside it."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import kubernetes_validate
import yaml

HERE = Path(__file__).resolve().parent
CHART = HERE.parents[2] / "helm" / "faas-sidecar"
HELM = os.environ["HELM"]
BINARY = os.environ["FAAS_SIDECAR"]
# The oldest Kubernetes with native sidecars, one between, and the newest known; then the oldest that Chart.yaml allows.
VERSIONS = ["1.29.0", "1.33.0", kubernetes_validate.latest_version()]
NEWEST = VERSIONS[-1]
OLDEST = "1.25.0"
POLICY = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
# Kinds of which Kubernetes has no schema: those of cert-manager and of the Prometheus Operator.
FOREIGN = {"Certificate", "Issuer", "PodMonitor", "PrometheusRule"}

Objects = dict[tuple[str, str], dict]


def expect(holds: object, what: str) -> None:
    if not holds:
        sys.exit(f"does not hold: {what}")


def helm(*arguments: str | Path, values: dict | None = None) -> subprocess.CompletedProcess:
    """Runs it to its end, with the values in a file."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values or {}, file)
        file.flush()
        given = [] if values is None else ["--values", file.name]
        return subprocess.run([HELM, *arguments, *given], capture_output=True, text=True, timeout=60)


def template(values: dict, *, chart: Path = CHART, name: str = "faas", version: str = NEWEST, apis: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    known = [argument for api in apis for argument in ("--api-versions", api)]
    return helm("template", name, chart, "--namespace", "team", "--kube-version", version, *known, values=values)


def rendered(values: dict, **how) -> Objects:
    """Objects by kind and name; of each kind that Kubernetes has, valid by the schema of its version."""
    done = template(values, **how)
    expect(done.returncode == 0, f"helm template {values}: {done.stderr}")
    found = {}
    for item in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader):
        key = (item["kind"], item["metadata"]["name"])
        if item["metadata"].get("namespace", "team") == "team":
            expect(key not in found, f"{key} is there once")
            found[key] = item
        else:
            found[(*key, item["metadata"]["namespace"])] = item
        if item["kind"] not in FOREIGN:
            kubernetes_validate.validate(item, how.get("version", NEWEST), strict=True)
    return found


def one(objects: Objects, kind: str) -> dict:
    """The only one of a kind."""
    found = [item for key, item in objects.items() if key[0] == kind]
    expect(len(found) == 1, f"one {kind}: {list(objects)}")
    return found[0]


def kinds(objects: Objects) -> set[str]:
    return {key[0] for key in objects}


@cache
def application() -> Path:
    """A chart that depends on this one, as a team would write it, its dependency resolved by Helm."""
    directory = Path(tempfile.mkdtemp(prefix="faas-sidecar-"))
    atexit.register(shutil.rmtree, directory)
    copy = directory / "a/b/c/application"
    shutil.copytree(HERE / "application", copy)
    shutil.copytree(CHART, directory / "helm/faas-sidecar")
    done = helm("dependency", "update", "--skip-refresh", copy)
    expect(done.returncode == 0 and "ok" in helm("dependency", "list", copy).stdout, f"the dependency is resolved: {done.stderr}")
    return copy


def in_application(values: dict, **how) -> Objects:
    return rendered({"faas-sidecar": values}, chart=application(), name="shop", **how)


def pods(objects: Objects) -> dict[str, dict]:
    """The pods that objects make: metadata and spec, by kind and name."""
    found = {}
    for key, item in objects.items():
        if item["kind"] == "Pod":
            found["/".join(key)] = item
        elif item["kind"] == "Deployment":
            found["/".join(key)] = item["spec"]["template"]
    return found


def containers(pod: dict) -> list[dict]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def environment(container: dict) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container.get("env", [])}


def restricted(what: str, pod: dict) -> None:
    """Pod Security "restricted", and beyond it a root file system that cannot be written, bounds of memory, and no token of Kubernetes."""
    spec = pod["spec"]
    expect(not any(spec.get(key) for key in ["hostNetwork", "hostPID", "hostIPC"]), f"{what}: nothing of the host")
    expect(spec.get("automountServiceAccountToken") is False, f"{what}: no token")
    for volume in spec.get("volumes", []):
        kind = (volume.keys() - {"name"}).pop()
        expect(kind in {"configMap", "secret", "projected", "emptyDir", "csi"}, f"{what}: a volume of the kind {kind}")
    for container in containers(pod):
        name = f"{what}, {container['name']}"
        merged = {**spec.get("securityContext", {}), **container["securityContext"]}
        expect(merged["runAsNonRoot"] is True and merged.get("runAsUser") != 0, f"{name}: no root")
        expect(merged["allowPrivilegeEscalation"] is False and merged["capabilities"] == {"drop": ["ALL"]}, f"{name}: no privileges")
        expect(merged["seccompProfile"] == {"type": "RuntimeDefault"}, f"{name}: seccomp")
        expect(not any("hostPort" in port for port in container.get("ports", [])), f"{name}: no port of the host")
        if container["name"] != "application":
            expect(merged["readOnlyRootFilesystem"] is True, f"{name}: nothing to write")
            expect(
                container["resources"]["limits"].keys() == {"memory"} and container["resources"]["requests"].keys() == {"cpu", "memory"}, f"{name}: resources"
            )


def wired(what: str, objects: Objects) -> None:
    """What names another finds it: selectors their pods, ports their containers, mounts their volumes, references their objects."""
    every = pods(objects)
    for key, pod in every.items():
        volumes = [volume["name"] for volume in pod["spec"].get("volumes", [])]
        expect(len(volumes) == len(set(volumes)), f"{what}: {key}: each volume once")
        for container in containers(pod):
            for mount in container.get("volumeMounts", []):
                expect(mount["name"] in volumes, f"{what}: {key}: {mount['name']} is a volume")
            ports = [port["name"] for port in container.get("ports", [])]
            expect(len(ports) == len(set(ports)), f"{what}: {key}: each port once")
        for volume in pod["spec"].get("volumes", []):
            if volume["name"] in {"faas-sidecar-config", "template"}:
                expect(("ConfigMap", volume["configMap"]["name"]) in objects, f"{what}: {key}: the ConfigMap {volume['configMap']['name']}")
        account = pod["spec"].get("serviceAccountName", "default")
        expect(account == "default" or ("ServiceAccount", account) in objects, f"{what}: {key}: the account {account}")

    def selected(labels: dict) -> list[dict]:
        return [pod for pod in every.values() if labels.items() <= pod["metadata"].get("labels", {}).items()]

    for key, item in objects.items():
        spec = item.get("spec", {})
        found = None
        if item["kind"] == "Service":
            found = selected(spec["selector"])
            names = [port["name"] for pod in found for container in containers(pod) for port in container.get("ports", [])]
            expect(all(port["targetPort"] in names for port in spec["ports"]), f"{what}: {key}: its port is one of the pod's")
        elif item["kind"] in {"Deployment", "PodDisruptionBudget"}:
            found = selected(spec["selector"]["matchLabels"])
        elif item["kind"] == "NetworkPolicy":
            found = selected(spec["podSelector"]["matchLabels"])
        elif item["kind"] == "HorizontalPodAutoscaler":
            expect(("Deployment", spec["scaleTargetRef"]["name"]) in objects, f"{what}: {key}: what it scales")
        expect(found is None or len(found) == 1, f"{what}: {key} selects the pods of one kind")
