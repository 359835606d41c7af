"""The chart in a Kubernetes API server: `check.py TOOLS BINARY WORK`. Each check says what it showed; the first thing that does not hold ends it."""

import json
import sys
import time
from pathlib import Path

import golden
import injection
import pods
import releases
from cluster import RESTRICTED, Cluster, expect, wait_for
from injection import CHART, Pods
from injector import Injector

RELEASE = "faas-sidecar"
NAMESPACE = "releases"


def version(cluster: Cluster) -> str:
    return json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]


def install(cluster: Cluster, values: dict) -> str:
    """Installs the release; gives back the template document."""
    cluster.install(RELEASE, CHART, NAMESPACE, values)
    return cluster.get("configmap", f"{RELEASE}-template", "-n", NAMESPACE)["data"]["template.yaml"]


def uninstall(cluster: Cluster, watched: str) -> None:
    cluster.helm("uninstall", RELEASE, "-n", NAMESPACE)
    wait_for("pods that ask are left alone again", lambda: injection.in_vain(cluster, watched))


def newest(cluster: Cluster, binary: str) -> Pods:
    for namespace in (NAMESPACE, "policy", "webhook", "offline", "library", "without", "both"):
        cluster.namespace(namespace)
    cluster.namespace("selected", {**RESTRICTED, "faas": "yes"})
    cluster.namespace("kube-system")
    for namespace in ("golden-policy", "golden-webhook", "golden-expected"):
        cluster.namespace(namespace, labels={})
    message = injection.refusals(cluster, "without", {"free": pods.pod("free", containers=[{"name": "a", "image": "a"}])})["free"]
    expect('violates PodSecurity "restricted' in message, f"Pod Security is enforced: {message}")
    releases.define(cluster)
    #releases.admitted(cluster, CHART, NAMESPACE)
    #releases.lifecycle(cluster, CHART, NAMESPACE)

    without = injection.create(cluster, "without", pods.NOT_ASKING)
    expected = golden.create(cluster, "golden-expected", "expected.yaml")
    by_policy, template = policy(cluster, without, expected)
    by_webhook = webhook(cluster, binary, without, expected)
    injection.same(by_policy, by_webhook, "policy and webhook")
    print(f"policy and webhook: the same {len(by_policy)} pods")
    injection.library(cluster, "library", by_policy)
    injection.offline(cluster, binary, "offline", by_policy, without, template)
    return by_policy


def policy(cluster: Cluster, without: Pods, expected: Pods) -> tuple[Pods, str]:
    template = install(cluster, {})
    wait_for("the policy is in force", lambda: not injection.in_vain(cluster, "policy"))
    stored = injection.way(cluster, "policy", without)
    injection.golden_way(cluster, "golden-policy", expected, every_reason=False)

    expect(injection.in_vain(cluster, "kube-system"), "an excluded namespace is left alone")
    cluster.kubectl("delete", "mutatingadmissionpolicy", f"{RELEASE}-injection")
    wait_for("without its policy a pod that asks is refused", lambda: injection.tried(cluster, "policy") is None)
    injection.closed(cluster, "policy", "MutatingAdmissionPolicy of the same name")
    install(cluster, {"injection": {"namespaceSelector": {"matchLabels": {"faas": "yes"}}, "excludedNamespaces": []}})
    wait_for("an upgrade heals it, for the namespaces selected", lambda: injection.in_vain(cluster, "policy") and not injection.in_vain(cluster, "selected"))
    print("policy: fails closed for pods that ask, and for no others; an upgrade heals it; namespaces are selected and excluded")
    uninstall(cluster, "selected")
    return stored, template


def webhook(cluster: Cluster, binary: str, without: Pods, expected: Pods) -> Pods:
    install(cluster, {"injection": {"mode": "webhook"}})
    with Injector(cluster, binary, NAMESPACE, f"{RELEASE}-injector") as injector:
        wait_for("the webhook is asked", lambda: not injection.in_vain(cluster, "webhook"))
        stored = injection.way(cluster, "webhook", without)
        injection.golden_way(cluster, "golden-webhook", expected, every_reason=True)
        both(cluster)
        expect(injector.stop() == 0, "the webhook ends with 0 on SIGTERM")
        injection.closed(cluster, "webhook", "inject.faas-sidecar.io")
    print("webhook: fails closed for pods that ask, and for no others; ends with 0")
    uninstall(cluster, "webhook")
    return stored


def both(cluster: Cluster) -> None:
    """A second release with the policy beside the webhook, and a stranger's policy that adds a container after ours."""
    cluster.install("second", CHART, NAMESPACE, {"injection": {"mode": "policy"}})
    cluster.kubectl("apply", "-f", Path(__file__).parent / "stranger.yaml")

    def late() -> dict | None:
        pod = injection.tried(cluster, "both")
        return pod if pod and [one["name"] for one in pod["spec"]["containers"]] == ["application", "late"] else None

    pod = wait_for("the stranger's policy is in force", late)
    expect(pods.sidecars(pod) == [("initContainers", 0)], f"one sidecar by two ways in: {pods.sidecars(pod)}")
    config = [volume["configMap"]["name"] for volume in pod["spec"]["volumes"] if "configMap" in volume]
    expect(config == ["second-faas-sidecar"], f"it is the policy's, which comes first: {config}")
    cluster.kubectl("delete", "-f", Path(__file__).parent / "stranger.yaml")
    cluster.helm("uninstall", "second", "-n", NAMESPACE)
    wait_for("the webhook is alone again", lambda: not late())
    print("policy and webhook at once, and a policy of somebody else that adds a container: one sidecar")


def main(tools: Path, binary: str, work: Path) -> None:
    began = time.monotonic()
    with Cluster(tools, work / "newest") as cluster:
        print(f"Kubernetes {version(cluster)} is up after {time.monotonic() - began:.1f} s")
        newest(cluster, binary)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
