"""Releases of the chart in every mode: what the API server says of their objects, and that nothing of them is left."""

import json
from pathlib import Path

import certificate
from cluster import Cluster, expect

# Kinds of others that the chart can make objects of. Their definitions here hold no schema: that an object of them is right is not shown.
FOREIGN = [(group, kind) for group, kinds in {"monitoring.coreos.com": ["PodMonitor", "PrometheusRule"], "cert-manager.io": ["Certificate", "Issuer"]}.items()
           for kind in kinds]
KEYS = {"credentials": {"existingSecrets": {"default": "keys"}}}
CALLERS = {"tls": {"existingSecret": "gateway-tls"}}
MANAGED = {"certManager": {"enabled": True, "issuerRef": {"kind": "ClusterIssuer", "name": "internal"}}}
SECRET = {"source": "secret", "existingSecret": "injector-tls", "caBundle": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="}

# Values by mode; besides them every file of the chart's ci/.
MODES = {
    "policy": {"injection": {"mode": "policy"}},
    "policy for some namespaces": {"injection": {"mode": "policy", "namespaceSelector": {"matchLabels": {"faas": "yes"}}, "excludedNamespaces": []}},
    "webhook": {"injection": {"mode": "webhook"}},
    "webhook by cert-manager": {"injection": {"mode": "webhook", "webhook": {"certificates": {"source": "cert-manager"}}}},
    "neither": {"injection": {"mode": "none"}},
    "gateway": {**KEYS, "gateway": {"enabled": True, **CALLERS}},
    "gateway with tokens": {**KEYS, "gateway": {"enabled": True, "tls": {**CALLERS["tls"], "clients": False}, "token": {"existingSecret": "tokens"}}},
    "gateway by cert-manager": {**KEYS, "gateway": {"enabled": True, "tls": MANAGED, "autoscaling": {"enabled": False}}},
    "monitoring": {"config": {"metrics": {"listen": "0.0.0.0:9902", "allow_remote_clients": True}}, "monitoring": {key: {"enabled": True} for key in ("dashboard", "alerts", "podMonitor")}},
}


def modes(chart: Path) -> dict[str, dict | Path]:
    return {**MODES, **{file.name: file for file in sorted((chart / "ci").glob("*.yaml"))}}


def define(cluster: Cluster) -> None:
    """What the modes need: definitions of foreign kinds, and the namespaces that values of ci/ name."""
    for namespace in ("shop", "bank"):
        cluster.namespace(namespace)
    for group, kind in FOREIGN:
        plural = f"{kind.lower()}s"
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
        names = {"kind": kind, "plural": plural, "singular": kind.lower()}
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": versions}
        cluster.apply({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.{group}"}, "spec": spec})
    for group, kind in FOREIGN:
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{kind.lower()}s.{group}")


def everything(cluster: Cluster) -> dict[str, str]:
    """Every object that there is, with what changes when it changes; without what the server keeps for itself."""
    rows = [line.split() for line in cluster.kubectl("api-resources", "--verbs=list,delete", "--no-headers", "--cached").splitlines()]
    kinds = [(row[0].split(".")[0], row[-3]) for row in rows]
    paths = [f"/{'apis' if '/' in version else 'api'}/{version}/{plural}" for plural, version in kinds if plural not in ("events", "leases")]
    names = {}
    for item in cluster.lists(*paths):
        metadata = item["metadata"]
        names["/".join([item["kind"], metadata.get("namespace", ""), metadata["name"]])] = metadata["resourceVersion"]
    return names


def admitted(cluster: Cluster, chart: Path, namespace: str) -> None:
    """Every object of every mode, as the chart renders it for this server, in a dry run; the namespace warns of pods that are not restricted."""
    rendered = {}
    for mode, values in modes(chart).items():
        file, text = ("-", json.dumps(values)) if isinstance(values, dict) else (values, None)
        rendered[mode] = cluster.must("helm", "template", "release", chart, "-n", namespace, "--validate", "-f", file, stdin=text)
    # A dry run stores nothing, and the test's pod is admitted only where its account is.
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "release-faas-sidecar", "namespace": namespace}})
    count = 0
    for mode, objects in rendered.items():
        done = cluster.run("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=objects)
        expect(done.returncode == 0 and "Warning" not in done.stderr, f"{mode}: {done.stderr}")
        count += len(done.stdout.splitlines())
    cluster.kubectl("delete", "serviceaccount", "release-faas-sidecar", "-n", namespace)
    print(f"kubectl apply --dry-run=server: {count} objects of {len(rendered)} modes, without a warning")


def lifecycle(cluster: Cluster, chart: Path, namespace: str) -> None:
    """Install, the same again, and uninstall, in every mode; then one release is upgraded through all modes."""
    before = everything(cluster)
    pods = 0
    for mode, values in modes(chart).items():
        cluster.install("release", chart, namespace, values)
        installed = everything(cluster)
        expect(len(installed) > len(before), f"{mode}: an install makes something")
        pods += startable(cluster, namespace)
        cluster.install("release", chart, namespace, values)
        same(mode, installed, everything(cluster))
        cluster.helm("uninstall", "release", "-n", namespace)
        left(mode, before, everything(cluster))
    for values in [*MODES.values(), MODES["neither"]]:
        cluster.install("release", chart, namespace, values)
    unwanted = [name for name in everything(cluster).keys() - before.keys() if "Admission" in name or "Webhook" in name]
    expect(not unwanted, f"a release takes away what it no longer has: {unwanted}")
    cluster.helm("uninstall", "release", "-n", namespace)
    left("one release through all modes", before, everything(cluster))
    certificate.renewal(cluster, chart, namespace)
    print(f"helm: installed, upgraded and uninstalled in {len(modes(chart))} modes, with nothing left; {pods} pods of its workloads are admitted as restricted")


def startable(cluster: Cluster, namespace: str) -> int:
    """Creates a pod of every Deployment, as its controller would, and takes it away again."""
    deployments = cluster.get("deployments", "-n", namespace)["items"]
    for deployment in deployments:
        template = deployment["spec"]["template"]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], "name": deployment["metadata"]["name"]}, "spec": template["spec"]}
        cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(pod))
        cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", namespace, "--timeout=20s")
    return len(deployments)


def same(mode: str, one: dict[str, str], other: dict[str, str]) -> None:
    """Helm notes its revisions in Secrets of its own."""
    changed = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    expect(not [name for name in changed if "/sh.helm." not in name], f"{mode}: the same again changes nothing: {changed}")


def left(mode: str, before: dict[str, str], after: dict[str, str]) -> None:
    expect(before == after, f"{mode}: nothing is left or changed: {set(before.items()) ^ set(after.items())}")
