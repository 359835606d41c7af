"""The pods that the checks create: shapes of applications, what they may ask for, and what must be refused."""

import difflib
import json

PREFIX = "faas-sidecar.io/"
CONTAINER = "faas-sidecar"
SAFE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def container(name: str, **more) -> dict:
    return {"name": name, "image": f"registry.example/{name}:1", "securityContext": SAFE, **more}


def pod(name: str, wishes: dict | None = None, **spec) -> dict:
    """A pod that Pod Security "restricted" admits; with wishes it asks for the sidecar."""
    asks = {PREFIX + key: value for key, value in {"inject": "true", **wishes}.items()} if wishes is not None else {}
    default = {"containers": [container("application")], "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": {"team": "payments", **asks}}, "spec": {**default, **spec}}


# What an application's pod may look like.
SHAPES = {
    "small": {},
    "large": {
        "initContainers": [
            container("migrate", env=[{"name": "STAGE", "value": "1"}]),
            container("proxy", restartPolicy="Always", volumeMounts=[{"name": "cache", "mountPath": "/cache"}]),
        ],
        "containers": [
            container("application", env=[{"name": "URL", "value": "grpc://$(FAAS_SIDECAR_ADDRESS)"}], volumeMounts=[{"name": "cache", "mountPath": "/cache"}]),
            container("itself", env=[{"name": "FAAS_SIDECAR_ADDRESS", "value": "elsewhere:1"}]),
            container("bare"),
        ],
        "volumes": [{"name": "cache", "emptyDir": {}}],
    },
}

# The same as in application/templates/pod.yaml.
SHAPES["chart"] = {
    "initContainers": [container("migrate")],
    "containers": [container("application", env=[{"name": "STAGE", "value": "1"}], volumeMounts=[{"name": "cache", "mountPath": "/cache"}])],
    "volumes": [{"name": "cache", "emptyDir": {}}],
}

# What it may ask for; every annotation alone, and all at once.
WISHES = {
    "nothing": {},
    "config": {"config": "payments-config"},
    "one-key": {"credentials": "prod=ncloud-keys"},
    "keys": {"credentials": "prod=ncloud-keys,huawei=iam_password:huawei-user,dev=ncloud-dev-keys,Z=z.keys,a-b=keys"},
    "no-keys": {"credentials": ""},
    "version": {"version": "0.9.1-rc.1"},
    "port": {"listen": "port"},
    "socket": {"listen": "socket"},
    "level": {"log-level": "debug"},
    "requests": {"cpu-request": "0.25", "memory-request": "32Mi"},
    "limits": {"cpu-limit": "2", "memory-limit": "1.5Gi"},
    "native": {"native": "true"},
    "classic": {"native": "false"},
    "all": {"config": "c", "credentials": "prod=iam_password:user,dev=keys", "version": "2", "listen": "socket", "log-level": "trace", "cpu-request": "250m",
            "cpu-limit": "1.5", "memory-request": "64M", "memory-limit": "128Mi", "native": "false"},
}


def values(wishes: dict) -> dict:
    """The same wishes as values of the chart, for a chart that depends on it."""
    said = {"image": {"tag": wishes.get("version", "")}, "fullnameOverride": wishes.get("config", "faas-sidecar"), "logLevel": wishes.get("log-level", ""),
            "socket": {"enabled": wishes.get("listen") == "socket"}, "nativeSidecar": wishes.get("native") != "false"}
    resources = [(key.split("-"), amount) for key, amount in wishes.items() if key.endswith(("-request", "-limit"))]
    said["resources"] = {part: {resource: amount for (resource, of), amount in resources if f"{of}s" == part} for part in ("requests", "limits")}
    targets, secrets = {}, {}
    for item in filter(None, wishes.get("credentials", "").split(",")):
        target, _, secret = item.partition("=")
        by_password = secret.startswith("iam_password:")
        huawei = {"provider": "functiongraph", "region": "ap-southeast-3", "project_id": "0" * 32, "credentials": {"source": "iam_password"}}
        targets[target] = huawei if by_password else {"provider": "ncp"}
        secrets[target] = secret.removeprefix("iam_password:")
    return {**said, "config": {"targets": targets}, "credentials": {"existingSecrets": secrets}}


ASKING = [pod(f"{shape}-{wish}", wishes, **spec) for shape, spec in SHAPES.items() for wish, wishes in WISHES.items()]
# As much as a policy has to bear: the API server bounds what an expression may cost.
MANY = {"listen": "socket", "credentials": ",".join(f"target-{9 - index % 10}-{index}=secret-{index}" for index in range(256))}
ASKING.append(pod("many", MANY, containers=[container(f"application-{index}") for index in range(20)]))
NOT_ASKING = [
    pod("without"),
    pod("large-without", **SHAPES["large"]),
    pod("declines", {"inject": "false", "listen": "nonsense", "unknown": "x"}),
]
ALREADY = pod("already", {}, initContainers=[container(CONTAINER, restartPolicy="Always")])

# What a wrong annotation is, and what its refusal names besides the annotation.
WRONG = {
    "inject": ({"inject": "yes"}, "true"),
    "an unknown one": ({"lisen": "port"}, "listen"),
    "a capital letter": ({"Config": "c"}, "config"),
    "config": ({"config": "My_Config"}, "My_Config"),
    "an empty config": ({"config": ""}, "ConfigMap"),
    "a long config": ({"config": "c" * 254}, "ConfigMap"),
    "credentials without a target": ({"credentials": "keys"}, "target"),
    "a target's name": ({"credentials": "-a=keys"}, "credentials"),
    "a Secret's name": ({"credentials": "a=Keys"}, "Keys"),
    "an unknown kind of keys": ({"credentials": "a=iam_token:keys"}, "iam_token"),
    "a target twice": ({"credentials": "a=x,b=y,a=z"}, "a"),
    "more targets than a pod may have": ({"credentials": ",".join(f"t{index}=keys" for index in range(257))}, "256"),
    "a trailing comma": ({"credentials": "a=x,"}, "target"),
    "version": ({"version": "a/b"}, "a/b"),
    "a digest as version": ({"version": "sha256:00"}, "sha256:00"),
    "listen": ({"listen": "tcp"}, "socket"),
    "log-level": ({"log-level": "INFO"}, "warn"),
    "native": ({"native": "True"}, "false"),
    "CPUs": ({"cpu-request": "10 m"}, "250m"),
    "CPUs of nothing": ({"cpu-limit": ""}, "250m"),
    "negative CPUs": ({"cpu-limit": "-1"}, "250m"),
    "bytes": ({"memory-limit": "64MB"}, "64Mi"),
    "thousandths of bytes": ({"memory-request": "100m"}, "64Mi"),
    "a request beyond the limit": ({"memory-request": "1Gi"}, "64Mi"),
    "CPUs beyond the limit": ({"cpu-request": "2", "cpu-limit": "1500m"}, "1500m"),
}
REFUSED = {what: pod(f"wrong-{index}", wishes) for index, (what, (wishes, _)) in enumerate(WRONG.items())}


def essence(pod: dict) -> dict:
    """What of a stored pod is neither its identity nor its time."""
    generated = ["name"] if "generateName" in pod["metadata"] else []
    identity = {"uid", "resourceVersion", "creationTimestamp", "managedFields", "namespace", *generated}
    return {**pod, "metadata": {key: value for key, value in pod["metadata"].items() if key not in identity}}


def sidecars(pod: dict) -> list[tuple[str, int]]:
    """Where the containers of our name are."""
    lists = ((kind, pod["spec"].get(kind, [])) for kind in ("initContainers", "containers"))
    return [(kind, index) for kind, containers in lists for index, one in enumerate(containers) if one["name"] == CONTAINER]


def different(one: dict[str, dict], other: dict[str, dict]) -> str:
    """The first difference of pods by name; nothing when they are equal but for their identity."""
    if one.keys() != other.keys():
        return f"pods of other names: {sorted(one.keys() ^ other.keys())}"
    for name in one:
        pair = [json.dumps(essence(pods[name]), indent=1, sort_keys=True).splitlines() for pods in (one, other)]
        if pair[0] != pair[1]:
            return "\n".join([name, *difflib.unified_diff(*pair, lineterm="")])
    return ""
