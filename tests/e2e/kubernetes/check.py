"""The chart in a Kubernetes API server: `check.py TOOLS BINARY WORK`. Each check says what it showed; the first thing that is not so ends it."""

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pods
import releases
from cluster import Cluster, expect, wait_for
from injector import Injector

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "helm/faas-sidecar"
HERE = Path(__file__).parent
RELEASE = "faas-sidecar"


def create(cluster: Cluster, namespace: str, made: list[dict] | str) -> dict[str, dict]:
    """Creates pods that must be admitted; what was stored, by name."""
    text = made if isinstance(made, str) else json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    names = cluster.kubectl("create", "-n", namespace, "-o", "name", "-f", "-", stdin=text).split()
    everything = {item["metadata"]["name"]: item for item in cluster.get("pods", "-n", namespace)["items"]}
    return {name.removeprefix("pod/"): everything[name.removeprefix("pod/")] for name in names}


def refusals(cluster: Cluster, namespace: str, made: dict[str, dict]) -> dict[str, str]:
    """Creates pods that must be refused; the messages."""
    with ThreadPoolExecutor(4) as several:
        done = several.map(lambda pod: cluster.run("kubectl", "create", "-n", namespace, "-f", "-", stdin=json.dumps(pod)), made.values())
        answers = dict(zip(made, done))
    for what, answer in answers.items():
        expect(answer.returncode != 0, f"{what} is refused in {namespace}: {answer.stdout}")
    return {what: answer.stderr for what, answer in answers.items()}


def asks_in_vain(cluster: Cluster, namespace: str) -> bool:
    """Whether a pod that asks is stored without a sidecar."""
    tried = cluster.run("kubectl", "create", "-n", namespace, "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pods.pod("probe", {})))
    return tried.returncode == 0 and not sidecars(json.loads(tried.stdout))


def sidecars(pod: dict) -> list[tuple[str, int]]:
    found = []
    for kind in ("initContainers", "containers"):
        found += [(kind, at) for at, one in enumerate(pod["spec"].get(kind, [])) if one["name"] == pods.CONTAINER]
    return found


def equal(stored: dict[str, dict], other: dict[str, dict], whose: str) -> None:
    expect(stored.keys() == other.keys(), f"{whose}: the same pods")
    for name in stored:
        one, two = pods.stored(stored[name]), pods.stored(other[name])
        expect(one == two, f"{whose}: {name} is the same:\n{json.dumps(one, indent=1, sort_keys=True)}\n{json.dumps(two, indent=1, sort_keys=True)}")


def injection(cluster: Cluster, namespace: str, without: dict[str, dict]) -> dict[str, dict]:
    """What holds for both kinds of injection. Gives back the pods with the sidecar."""
    stored = create(cluster, namespace, pods.ASKING)
    for name, pod in stored.items():
        wishes = {key.removeprefix(pods.PREFIX): value for key, value in pod["metadata"]["annotations"].items()}
        place = "containers" if wishes.get("native") == "false" else "initContainers"
        expect(sidecars(pod) == [(place, 0)], f"{name}: the sidecar is the first of {place}: {sidecars(pod)}")
        native = pod["spec"][place][0].get("restartPolicy")
        expect(native == (None if place == "containers" else "Always"), f"{name}: restartPolicy {native}")
        expect(pod["metadata"]["annotations"]["team"] == "payments", f"{name} keeps its other annotations")
    equal(without, create(cluster, namespace, pods.NOT_ASKING), f"not asking, {namespace}")
    messages = refusals(cluster, namespace, pods.REFUSED)
    for what, message in messages.items():
        wishes, named = pods.WRONG[what]
        expect(any(pods.PREFIX + key in message for key in wishes) and named in message, f"the refusal of {what} names the annotation and {named}: {message}")
    again = [{**pods.stored(pod), "metadata": {**pods.stored(pod)["metadata"], "name": f"again-{name}"}} for name, pod in stored.items()]
    for name, pod in create(cluster, namespace, again + [pods.ALREADY]).items():
        before = stored.get(name.removeprefix("again-"))
        expect(len(sidecars(pod)) == 1, f"{name} has one sidecar")
        expect(before is None or pods.spec(pod) == pods.spec(before), f"{name}: a pod with its sidecar stays as it is")
    workload(cluster, namespace)
    print(f"{namespace}: {len(stored)} pods that ask have the sidecar first; {len(without)} others are as without injection; {len(messages)} wrong ones are "
          f"refused by name; {len(again) + 1} that have it stay as they are; a Deployment stays as it is")
    return stored


def workload(cluster: Cluster, namespace: str) -> None:
    """The pods of a workload are changed when they are made, the workload never is."""
    template = pods.pod("unused", pods.WISHES["all"])
    labels = {"app": "workload"}
    template = {"metadata": {"labels": labels, "annotations": template["metadata"]["annotations"]}, "spec": template["spec"]}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "workload", "namespace": namespace}, "spec": spec})
    stored = cluster.get("deployment", "workload", "-n", namespace)["spec"]["template"]
    expect(stored["metadata"]["annotations"] == template["metadata"]["annotations"] and not sidecars(stored), "the Deployment is stored as it was written")


def library(cluster: Cluster, namespace: str, stored: dict[str, dict]) -> None:
    """The pods of a chart that depends on this one, with the same wishes as values."""
    chart = cluster.work / "application"
    shutil.copytree(HERE / "application", chart)
    shutil.copytree(CHART, chart / "charts/faas-sidecar")
    rendered = []
    for wish, wishes in pods.WISHES.items():
        values = json.dumps({"name": f"chart-{wish}", "faas-sidecar": pods.values(wishes)})
        rendered.append(cluster.must("helm", "template", RELEASE, chart, "-f", "-", "--show-only", "templates/pod.yaml", stdin=values))
    made = create(cluster, namespace, "\n---\n".join(rendered))
    for name, pod in made.items():
        one, two = pods.spec(pod), pods.spec(stored[name])
        expect(one == two, f"library: {name} is the same:\n{json.dumps(one, indent=1, sort_keys=True)}\n{json.dumps(two, indent=1, sort_keys=True)}")
    print(f"a chart that depends on this one: the same containers and volumes for {len(made)} wishes")


def offline(cluster: Cluster, binary: str, namespace: str, without: dict[str, dict], stored: dict[str, dict], template: str) -> None:
    """`faas-sidecar inject` with the release's template, given every pod at once; then each that is wrong."""
    file = cluster.work / "template.yaml"
    file.write_text(template)

    def inject(*made: dict) -> subprocess.CompletedProcess:
        text = "\n---\n".join(map(json.dumps, made))
        return subprocess.run([binary, "inject", "--template", file], input=text, text=True, capture_output=True, timeout=60)

    done = inject(*pods.ASKING, *pods.NOT_ASKING)
    expect(done.returncode == 0, f"inject: {done.stderr}")
    equal({**stored, **without}, create(cluster, namespace, done.stdout), "offline")
    for what, pod in pods.REFUSED.items():
        refused, (wishes, named) = inject(pod), pods.WRONG[what]
        expect(refused.returncode == 78 and not refused.stdout, f"inject refuses {what}: {refused.returncode}")
        expect(any(pods.PREFIX + key in refused.stderr for key in wishes) and named in refused.stderr, f"inject says what is wrong with {what}: {refused.stderr}")
    print(f"faas-sidecar inject: the same {len(stored)} pods and the same refusals")


def main(tools: Path, binary: str, work: Path) -> None:
    began = time.monotonic()
    with Cluster(tools, work / "cluster") as cluster:
        version = json.loads(cluster.kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
        print(f"Kubernetes {version} is up in {time.monotonic() - began:.1f} s")
        for namespace in ("policy", "webhook", "offline", "library", "without", "releases"):
            cluster.namespace(namespace)
        negative = refusals(cluster, "without", {"a pod that is not restricted": {**pods.pod("free"), "spec": {"containers": [{"name": "a", "image": "a"}]}}})
        expect("PodSecurity" in negative["a pod that is not restricted"], f"Pod Security is enforced: {negative}")
        without = create(cluster, "without", pods.NOT_ASKING)

        cluster.install(RELEASE, CHART, "releases", {"injection": {"mode": "policy"}})
        wait_for("the policy is in force", lambda: not asks_in_vain(cluster, "policy"))
        by_policy = injection(cluster, "policy", without)
        template = cluster.get("configmap", f"{RELEASE}-template", "-n", "releases")["data"]["template.yaml"]
        cluster.helm("uninstall", RELEASE, "-n", "releases")
        wait_for("the policy is gone", lambda: asks_in_vain(cluster, "policy"))

        library(cluster, "library", by_policy)
        offline(cluster, binary, "offline", without, by_policy, template)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
