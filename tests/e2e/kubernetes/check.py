"""The chart in a Kubernetes API server: `check.py TOOLS BINARY`. Each check says what it showed; the first thing that does not hold ends it."""

import json
import signal
import sys
import tempfile
import time
from pathlib import Path

import golden
import injection
import pods
import releases
from cluster import RESTRICTED, Cluster, expect, wait_for
from injection import CHART, HERE, Pods
from injector import Injector

RELEASE = "faas-sidecar"
# Values that are all other than the chart's own, so that nothing of the sidecar is what it is only by default.
OTHER = {
    "image": {"repository": "registry.example/team/faas", "tag": "7", "digest": f"sha256:{'0123456789abcdef' * 4}", "pullPolicy": "Always",
              "binary": "/bin/faas"},
    "fullnameOverride": "other", "nativeSidecar": False, "logLevel": "warn", "socket": {"enabled": True},
    "config": {"listen": ["[::1]:50055", "127.0.0.1:50056"], "metrics": {"listen": "0.0.0.0:9902", "allow_remote_clients": True},
               "targets": {"prod": {"provider": "ncp"}, "hw": {"provider": "functiongraph", "region": "eu-de", "project_id": "0" * 32,
                                                               "credentials": {"source": "iam_password"}}}},
    "credentials": {"existingSecrets": {"prod": "keys", "hw": "user"}},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}, {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    "extraVolumes": [{"name": "authorities", "configMap": {"name": "authorities", "optional": True, "items": [{"key": "ca.crt", "path": "ca \"<&>\".crt"}]}}],
    "extraVolumeMounts": [{"name": "authorities", "mountPath": "/etc/authorities", "readOnly": True}],
    "resources": {"requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Mi"}, "limits": {"cpu": 3, "memory": None}},
    "securityContext": {"runAsUser": None, "runAsGroup": 1000, "seLinuxOptions": {"level": "s0:c1,c2"}},
    "startupProbe": {"periodSeconds": 2, "failureThreshold": 120},
}
NAMESPACE = "releases"
WAYS = ("policy", "webhook", "offline")


def version(cluster: Cluster) -> str:
    return json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]


def install(cluster: Cluster, values: dict) -> str:
    """Installs the release; gives back the template document."""
    cluster.install(RELEASE, CHART, NAMESPACE, values)
    return cluster.get("configmap", f"{values.get('fullnameOverride', RELEASE)}-template", "-n", NAMESPACE)["data"]["template.yaml"]


def uninstall(cluster: Cluster, watched: str) -> None:
    cluster.helm("uninstall", RELEASE, "-n", NAMESPACE)
    wait_for("pods that ask are left alone again", lambda: injection.in_vain(cluster, watched))


def newest(cluster: Cluster, binary: str) -> Pods:
    # The chart's ci/ has values with the namespaces shop and bank.
    for namespace in (NAMESPACE, "policy", "webhook", "offline", "library", "without", "both", "shop", "bank", *(f"other-{way}" for way in WAYS)):
        cluster.namespace(namespace)
    cluster.namespace("selected", {**RESTRICTED, "faas": "yes"})
    cluster.namespace("kube-system")
    for namespace in ("golden-policy", "golden-webhook", "golden-expected"):
        cluster.namespace(namespace, labels={})
    message = injection.refusals(cluster, "without", {"free": pods.pod("free", containers=[{"name": "a", "image": "a"}])})["free"]
    expect('violates PodSecurity "restricted' in message, f"Pod Security is enforced: {message}")
    releases.define(cluster)
    releases.admitted(cluster, CHART, NAMESPACE)
    releases.lifecycle(cluster, CHART, NAMESPACE)

    without = injection.create(cluster, "without", pods.NOT_ASKING)
    expected = golden.create(cluster, "golden-expected", "expected.yaml")
    by_policy, template = policy(cluster, without, expected)
    by_webhook = webhook(cluster, binary, without, expected)
    injection.same(by_policy, by_webhook, "policy and webhook")
    print(f"policy and webhook: the same {len(by_policy)} pods")
    injection.library(cluster, "library", by_policy)
    injection.offline(cluster, binary, "offline", by_policy, without, template)
    others(cluster, binary)
    return by_policy


def others(cluster: Cluster, binary: str) -> None:
    """Policy, webhook and `faas-sidecar inject` with other values of the chart."""
    template = install(cluster, {**OTHER, "injection": {"mode": "policy"}})
    wait_for("the policy is in force", lambda: injection.served(cluster, "other-policy"))
    by_policy = injection.create(cluster, "other-policy", pods.ASKING)
    install(cluster, {**OTHER, "injection": {"mode": "webhook"}})
    wait_for("there is no policy any more and no webhook yet", lambda: injection.tried(cluster, "other-webhook") is None)
    with Injector(cluster, binary, NAMESPACE, "other-injector"):
        by_webhook = injection.create(cluster, "other-webhook", pods.ASKING)
    uninstall(cluster, "other-webhook")
    injection.same(by_policy, by_webhook, "policy and webhook with other values")
    by_hand = injection.injected(cluster, binary, template, pods.ASKING).stdout
    injection.same(by_policy, injection.create(cluster, "other-offline", by_hand), "policy and inject with other values")
    print(f"with other values of the chart: the same {len(by_policy)} pods by policy, webhook and inject")


def older(tools: Path, work: Path, binary: str, by_policy: Pods) -> None:
    """What an older server makes of the chart: the beta version of policies, in the expressions of 1.33; and none at all."""
    beta = "admissionregistration.k8s.io/v1beta1"
    with Cluster(tools, work / "beta", f"--runtime-config={beta}=true", "--min-compatibility-version=1.33") as cluster:
        cluster.namespace("beta")
        newer = "lists.range(3).size() == 3"
        message = cluster.run("kubectl", "apply", "-f", "-", stdin=(HERE / "stranger.yaml").read_text().replace("!object", f"{newer} && !object")).stderr
        expect("undeclared reference to 'lists'" in message, f"what came after 1.33 is not understood: {message}")
        server = ("--kube-version", "1.34.0", "--api-versions", f"{beta}/MutatingAdmissionPolicy")
        rendered = cluster.helm("template", RELEASE, CHART, *server, "--show-only", "templates/policy.yaml")
        expect(f"apiVersion: {beta}\nkind: MutatingAdmissionPolicy\n" in rendered, "the chart takes the version that the server has")
        cluster.kubectl("apply", "-f", "-", stdin=rendered)
        wait_for("the policy is in force", lambda: injection.served(cluster, "beta"))
        injection.same(by_policy, injection.create(cluster, "beta", pods.ASKING), "by v1beta1")
    with Cluster(tools, work / "webhook", "--emulated-version=1.33") as cluster:
        for namespace in (NAMESPACE, "webhook"):
            cluster.namespace(namespace)
        install(cluster, {})
        wait_for("nothing answers yet", lambda: injection.tried(cluster, "webhook") is None)
        with Injector(cluster, binary, NAMESPACE, f"{RELEASE}-injector"):
            injection.same(by_policy, injection.create(cluster, "webhook", pods.ASKING), "by 1.33's webhook")
    print(f"as on 1.34 (v1beta1, the expressions of 1.33) and on 1.33 (no policies, so the webhook): the same {len(by_policy)} pods")


def policy(cluster: Cluster, without: Pods, expected: Pods) -> tuple[Pods, str]:
    template = install(cluster, {})
    wait_for("the policy is in force", lambda: injection.served(cluster, "policy"))
    wait_for("the one that refuses is, too", lambda: injection.tried(cluster, "policy", listen="nonsense") is None)
    stored = injection.way(cluster, "policy", without)
    injection.golden_way(cluster, "golden-policy", expected, every_reason=False)

    expect(injection.in_vain(cluster, "kube-system"), "an excluded namespace is left alone")
    cluster.kubectl("delete", "mutatingadmissionpolicy", f"{RELEASE}-injection")
    wait_for("without its policy a pod that asks is refused", lambda: injection.tried(cluster, "policy") is None)
    injection.closed(cluster, "policy", "MutatingAdmissionPolicy of the same name")
    install(cluster, {"injection": {"namespaceSelector": {"matchLabels": {"faas": "yes"}}, "excludedNamespaces": []}})
    wait_for("an upgrade heals it, for the namespaces selected", lambda: injection.in_vain(cluster, "policy") and injection.served(cluster, "selected"))
    print("policy: fails closed for pods that ask, and for no others; an upgrade heals it; namespaces are selected and excluded")
    uninstall(cluster, "selected")
    return stored, template


def webhook(cluster: Cluster, binary: str, without: Pods, expected: Pods) -> Pods:
    install(cluster, {"injection": {"mode": "webhook"}})
    wait_for("nothing answers yet", lambda: injection.tried(cluster, "webhook") is None)
    with Injector(cluster, binary, NAMESPACE, f"{RELEASE}-injector") as injector:
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
    cluster.kubectl("apply", "-f", HERE / "stranger.yaml")

    def late() -> dict | None:
        """The pod when both have their part in it; its ConfigMap is of the second release, since policies come first."""
        pod = injection.tried(cluster, "both")
        if pod and [one["name"] for one in pod["spec"]["containers"]] == ["application", "late"]:
            volumes = [volume["configMap"]["name"] for volume in pod["spec"]["volumes"] if "configMap" in volume]
            return pod if volumes == ["second-faas-sidecar"] else None

    pod = wait_for("the policies are in force", late)
    expect(pods.sidecars(pod) == [("initContainers", 0)], f"one sidecar by two ways in: {pods.sidecars(pod)}")
    cluster.kubectl("delete", "-f", HERE / "stranger.yaml")
    cluster.helm("uninstall", "second", "-n", NAMESPACE)
    wait_for("the webhook is alone again", lambda: injection.served(cluster, "both") and not late())
    print("policy and webhook at once, and a policy of somebody else that adds a container: one sidecar")


def main(tools: Path, binary: str, work: Path) -> None:
    began = time.monotonic()
    with Cluster(tools, work / "newest") as cluster:
        print(f"Kubernetes {version(cluster)} is up after {time.monotonic() - began:.1f} s")
        by_policy = newest(cluster, binary)
    older(tools, work, binary, by_policy)
    same = len(pods.ASKING) + len(golden.CHANGED)
    print(f"kubernetes: {same} pods are the same by policy and webhook, on a real API server, in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    # So that what was started ends on SIGTERM too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="faas-sidecar-") as directory:
        main(Path(sys.argv[1]), sys.argv[2], Path(directory))
