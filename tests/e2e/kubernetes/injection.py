"""What injection makes of pods, whichever way it is done."""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import golden
import pods
from cluster import Cluster, expect

HERE = Path(__file__).parent
CHART = HERE.parents[2] / "helm/faas-sidecar"
Pods = dict[str, dict]


def create(cluster: Cluster, namespace: str, made: list[dict] | str) -> Pods:
    """Creates pods that must be admitted; what was stored, by name."""
    text = made if isinstance(made, str) else json.dumps({"apiVersion": "v1", "kind": "List", "items": made})
    names = [name.removeprefix("pod/") for name in cluster.kubectl("create", "-n", namespace, "-o", "name", "-f", "-", stdin=text).split()]
    stored = {pod["metadata"]["name"]: pod for pod in cluster.lists(f"/api/v1/namespaces/{namespace}/pods")}
    return {name: stored[name] for name in names}


def refusals(cluster: Cluster, namespace: str, made: dict[str, dict | str]) -> dict[str, str]:
    """Creates pods that must be refused; the messages."""
    texts = [pod if isinstance(pod, str) else json.dumps(pod) for pod in made.values()]
    with ThreadPoolExecutor(4) as several:
        answers = dict(zip(made, several.map(lambda text: cluster.run("kubectl", "create", "-n", namespace, "-f", "-", stdin=text), texts)))
    for what, answer in answers.items():
        expect(answer.returncode, f"{what} is refused in {namespace}: {answer.stdout}")
    return {what: answer.stderr for what, answer in answers.items()}


def same(one: Pods, other: Pods, what: str) -> None:
    difference = pods.different(one, other)
    expect(not difference, f"{what}, the same pods: {difference}")


def tried(cluster: Cluster, namespace: str, **wishes: str) -> dict | None:
    """What would be stored of a pod that asks; nothing when it is refused."""
    done = cluster.run("kubectl", "create", "-n", namespace, "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pods.pod("probe", wishes)))
    return json.loads(done.stdout) if done.returncode == 0 else None


def served(cluster: Cluster, namespace: str) -> bool:
    """Whether a pod that asks would be stored with a sidecar."""
    return bool(pods.sidecars(tried(cluster, namespace) or {"spec": {}}))


def in_vain(cluster: Cluster, namespace: str) -> bool:
    """Whether a pod that asks would be stored without a sidecar."""
    pod = tried(cluster, namespace)
    return pod is not None and not pods.sidecars(pod)


def way(cluster: Cluster, namespace: str, without: Pods) -> Pods:
    """What holds for policy and webhook. Gives back the pods with the sidecar."""
    stored = create(cluster, namespace, pods.ASKING)
    for name, pod in stored.items():
        asked = pod["metadata"]["annotations"]
        native = asked.get(f"{pods.PREFIX}native") != "false"
        place = "initContainers" if native else "containers"
        expect(pods.sidecars(pod) == [(place, 0)], f"{name}: the sidecar is the first of {place}: {pods.sidecars(pod)}")
        expect(pod["spec"][place][0].get("restartPolicy") == ("Always" if native else None), f"{name}: native or not")
        expect(asked["team"] == "payments", f"{name} keeps its other annotations")
    same(without, create(cluster, namespace, pods.NOT_ASKING), f"not asking, {namespace}")
    messages = refusals(cluster, namespace, pods.REFUSED)
    for what, message in messages.items():
        wishes, named = pods.WRONG[what]
        expect(any(pods.PREFIX + key in message for key in wishes) and named in message, f"the refusal of {what} names the annotation and {named}: {message}")
    again = [{**pods.essence(pod), "metadata": {**pods.essence(pod)["metadata"], "name": f"again-{name}"}} for name, pod in stored.items()]
    for name, pod in create(cluster, namespace, [*again, pods.ALREADY]).items():
        before = stored.get(name.removeprefix("again-"))
        expect(len(pods.sidecars(pod)) == 1 and (before is None or pod["spec"] == before["spec"]), f"{name}: a pod with its sidecar stays as it is")
    workload(cluster, namespace)
    print(f"{namespace}: {len(stored)} pods that ask have the sidecar first; {len(without)} others are as without injection; {len(messages)} wrong ones are "
          f"refused by name; {len(again) + 1} that have it stay as they are; a Deployment stays as it is")
    return stored


def workload(cluster: Cluster, namespace: str) -> None:
    """The pods of a workload are changed when they are made, the workload never is."""
    asking, labels = pods.pod("unused", pods.WISHES["all"]), {"app": "workload"}
    template = {"metadata": {"labels": labels, "annotations": asking["metadata"]["annotations"]}, "spec": asking["spec"]}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "workload", "namespace": namespace}, "spec": spec})
    stored = cluster.get("deployment", "workload", "-n", namespace)["spec"]["template"]
    expect(stored["metadata"]["annotations"] == template["metadata"]["annotations"] and not pods.sidecars(stored), "the Deployment is stored as it was written")


def library(cluster: Cluster, namespace: str, by_policy: Pods) -> None:
    """The pods of a chart that depends on this one, with the same wishes as values."""
    chart = cluster.work / "application"
    shutil.copytree(HERE / "application", chart)
    shutil.copytree(CHART, chart / "charts/faas-sidecar")

    def render(wish: str) -> str:
        values = json.dumps({"name": f"chart-{wish}", "faas-sidecar": pods.values(pods.WISHES[wish])})
        return cluster.must("helm", "template", "release", chart, "-f", "-", "--show-only", "templates/pod.yaml", stdin=values)

    made = create(cluster, namespace, "\n---\n".join(map(render, pods.WISHES)))
    specs = [{name: {"metadata": {}, "spec": pods_of[name]["spec"]} for name in made} for pods_of in (made, by_policy)]
    same(*specs, "a chart that depends on this one")
    print(f"a chart that depends on this one: the same containers and volumes for {len(made)} wishes")


def injected(cluster: Cluster, binary: str, template: str, made: list[dict]) -> subprocess.CompletedProcess:
    """`faas-sidecar inject` with a release's template, given pods at once."""
    file = cluster.work / "template.yaml"
    file.write_text(template)
    return subprocess.run([binary, "inject", "--template", file], input="\n---\n".join(map(json.dumps, made)), text=True, capture_output=True, timeout=60)


def offline(cluster: Cluster, binary: str, namespace: str, by_policy: Pods, without: Pods, template: str) -> None:
    done = injected(cluster, binary, template, [*pods.ASKING, *pods.NOT_ASKING])
    expect(done.returncode == 0, f"inject: {done.stderr}")
    same({**by_policy, **without}, create(cluster, namespace, done.stdout), "inject")
    for what, pod in pods.REFUSED.items():
        refused, (wishes, named) = injected(cluster, binary, template, [pod]), pods.WRONG[what]
        expect(refused.returncode == 78 and not refused.stdout, f"inject refuses {what}: {refused.returncode}")
        told = any(pods.PREFIX + key in refused.stderr for key in wishes) and named in refused.stderr
        expect(told, f"inject says what is wrong with {what}: {refused.stderr}")
    print(f"faas-sidecar inject: the same {len(by_policy)} pods and the same {len(pods.REFUSED)} refusals")


# What the API server itself refuses after a policy, in its own words; and where a policy has other words than the webhook.
OWN_WORDS = {"refused-mount": "must be unique", "refused-volume": "Duplicate value", "refused-credentials": "faas-sidecar.io/credentials: ",
             "refused-unknown": "is unknown; known after faas-sidecar.io/ are"}


def golden_way(cluster: Cluster, namespace: str, expected: Pods, every_reason: bool) -> None:
    """The golden pods. The webhook tells every reason of a refusal, the policy the first that it finds."""
    same(expected, golden.create(cluster, namespace, "pod.yaml"), f"golden, {namespace}")
    messages = refusals(cluster, namespace, golden.wrong())
    for name, message in messages.items():
        told = [reason in message for reason in golden.reasons(name)]
        good = all(told) if every_reason else OWN_WORDS[name] in message if name in OWN_WORDS else any(told)
        expect(good, f"{name} is refused for {golden.reasons(name)}: {message}")
    print(f"{namespace}: {len(expected)} golden pods are stored as expected, {len(messages)} are refused for their reasons")


def closed(cluster: Cluster, namespace: str, named: str) -> None:
    """Injection is broken: who asks is refused, who does not is not."""
    message = refusals(cluster, namespace, {"a pod that asks": pods.pod("closed", {})})["a pod that asks"]
    expect(named in message, f"a pod that asks is refused since {named}: {message}")
    again = [{**pod, "metadata": {**pod["metadata"], "name": f"open-{pod['metadata']['name']}"}} for pod in pods.NOT_ASKING]
    create(cluster, namespace, again)
