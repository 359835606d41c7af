"""Values that are refused, and what the refusal names. What the schema refuses is what `helm lint`, `template`, `install` and `upgrade` refuse."""

from rig import expect, template

IDENTITY = "0123456789abcdef0123456789abcdef"


def ncp(**keys: object) -> dict:
    return {"config": {"targets": {"prod": {"provider": "ncp", **keys}}}}


def variable(**keys: object) -> dict:
    return {"extraEnv": [keys]}


# Values, and what the refusal names.
REFUSED_BY_SCHEMA = {
    "an unknown key": ({"replicas": 2}, "replicas"),
    "an unknown key below": ({"image": {"name": "x"}}, "name"),
    "a word for a boolean": ({"nativeSidecar": "yes"}, "nativeSidecar"),
    "a wrong word": ({"logLevel": "loud"}, "logLevel"),
    "half a digest": ({"image": {"digest": "sha256:12"}}, "digest"),
    "an unknown key of the configuration": ({"config": {"tagrets": {}}}, "tagrets"),
    "an unknown key of a target": (ncp(regoin="kr"), "regoin"),
    "a wrong region": (ncp(region="us"), "region"),
    "a key of another cloud": (ncp(project_id=IDENTITY), "project_id"),
    "a duration without a unit": ({"config": {"drain_timeout": "25"}}, "drain_timeout"),
    "too many attempts": (ncp(retry={"max_attempts": 11}), "max_attempts"),
    "off, which YAML reads as false": ({"config": {"admin": False}}, "admin"),
    "a project as a number": ({"config": {"targets": {"h": {"provider": "functiongraph", "project_id": 12345678901234567890123456789012}}}}, "project_id"),
    "a key in the configuration": (ncp(credentials={"access_key_id": "AK"}), "access_key_id"),
    "a secret key in the configuration": (ncp(credentials={"source": "files", "secret_access_key": "SK"}), "secret_access_key"),
    "a key beside the Secret's name": ({"credentials": {"accessKeyId": "AK"}}, "accessKeyId"),
    "keys in place of the Secret's name": (
        {"credentials": {"existingSecrets": {"prod": {"access-key-id": "AK", "secret-access-key": "SK"}}}},
        "existingSecrets",
    ),
    "a key as a variable's value": (variable(name="NCLOUD_SECRET_ACCESS_KEY", value="SK"), "extraEnv"),
    "a key as a variable's value, the other name": (variable(name="NCLOUD_SECRET_KEY", value="SK"), "extraEnv"),
    "a key of Huawei as a variable's value": (variable(name="HUAWEICLOUD_SDK_SK", value="SK"), "extraEnv"),
    **{
        f"{name} as a variable's value": (variable(name=name, value="key"), "extraEnv")
        for name in ["NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY", "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"]
    },
    "a value and a source": (variable(name="X", value="1", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}), "extraEnv"),
    "a password in a URL": (ncp(base_url="https://user:password@gateway.example/"), "base_url"),
    "the address past the chart": (variable(name="FAAS_SIDECAR_LISTEN", value="127.0.0.1:1"), "extraEnv"),
    "a root file system to write": ({"securityContext": {"readOnlyRootFilesystem": False}}, "readOnlyRootFilesystem"),
    "root": ({"securityContext": {"runAsUser": 0}}, "runAsUser"),
    "a capability": ({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}, "add"),
    "privileges": ({"securityContext": {"privileged": True}}, "privileged"),
    "a wrong word in monitoring": ({"monitoring": {"alerts": {"enabled": "yes"}}}, "enabled"),
    "an unknown key in monitoring": ({"monitoring": {"dashbord": {}}}, "dashbord"),
    "a runbook that is no address": ({"monitoring": {"alerts": {"runbookUrl": "docs"}}}, "runbookUrl"),
    "a directory of the host": ({"extraVolumes": [{"name": "h", "hostPath": {"path": "/"}}]}, "hostPath"),
    "an unknown key of injection": ({"injection": {"kind": "policy"}}, "kind"),
    "an unknown kind of injection": ({"injection": {"mode": "sidecar"}}, "mode"),
    "an unknown source of the certificate": ({"injection": {"webhook": {"certificates": {"source": "self"}}}}, "source"),
    "a key in place of the Secret's name": ({"injection": {"webhook": {"certificates": {"existingSecret": "-----BEGIN PRIVATE KEY-----"}}}}, "existingSecret"),
    "a webhook at loopback": ({"injection": {"webhook": {"listen": "127.0.0.1:8443"}}}, "listen"),
    "a wait longer than Kubernetes allows": ({"injection": {"webhook": {"timeoutSeconds": 31}}}, "timeoutSeconds"),
    "a name that is no namespace": ({"injection": {"namespaces": ["Team"]}}, "namespaces"),
    "an operator that selectors have not": ({"injection": {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}}, "operator"),
    "an unknown key of the gateway": ({"gateway": {"enable": True}}, "enable"),
    "a word for a number": ({"gateway": {"replicas": "2"}}, "replicas"),
    "no replicas": ({"gateway": {"replicas": 0}}, "replicas"),
    "a token as a value": ({"gateway": {"token": {"value": "a-token-of-this-check"}}}, "value"),
    "a certificate's key as a value": ({"gateway": {"tls": {"key": "-----BEGIN PRIVATE KEY-----"}}}, "key"),
    "an unknown type of Service": ({"gateway": {"service": {"type": "ExternalName"}}}, "type"),
    "a peer of an unknown kind": ({"gateway": {"networkPolicy": {"from": [{"namespace": "shop"}]}}}, "namespace"),
    "nobody to be called": ({"gateway": {"networkPolicy": {"egressPorts": []}}}, "egressPorts"),
    "an action without a package": ({"tests": {"actions": ["hello"]}}, "actions"),
    "a Secret for the image by its name alone": ({"imagePullSecrets": ["registry"]}, "imagePullSecrets"),
    "a wrong interval": ({"monitoring": {"podMonitor": {"interval": "30"}}}, "interval"),
    "an unknown key of the account": ({"serviceAccount": {"token": True}}, "token"),
}
REFUSED_BY_TEMPLATES = {
    "a Secret for no target": ({**ncp(), "credentials": {"existingSecrets": {"dev": "keys"}}}, "no target of that name"),
    "a Secret, and keys from the environment": ({**ncp(credentials={"source": "env"}), "credentials": {"existingSecrets": {"prod": "keys"}}}, "source is env"),
    "a Secret, and another directory": ({**ncp(credentials={"directory": "/x"}), "credentials": {"existingSecrets": {"prod": "keys"}}}, "directory is set"),
    "a socket without its directory": ({"config": {"listen": "unix:/run/x.sock"}}, "socket.enabled"),
}


ACCEPTED = [
    {"global": {"any": 1}, "enabled": True},
    variable(name="NCLOUD_SECRET_KEY", valueFrom={"secretKeyRef": {"name": "s", "key": "k"}}),
    {"injection": {"webhook": {"tolerations": [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}], "listen": "[::]:8443"}}},
    {"gateway": {"enabled": True, "token": {"existingSecret": "t"}, "podDisruptionBudget": {"maxUnavailable": "25%"}}},
]


def refused_by_schema(case: tuple[str, tuple[dict, str]]) -> None:
    what, (values, named) = case
    done = template(values)
    expect(done.returncode != 0 and "values don't meet the specifications of the schema" in done.stderr, f"{what} is refused by the schema: {done.stderr}")
    expect(named in done.stderr, f"{what}: the refusal names {named}: {done.stderr}")


def refused_by_templates(case: tuple[str, tuple[dict, str]]) -> None:
    what, (values, named) = case
    done = template(values)
    expect(done.returncode != 0 and "schema" not in done.stderr, f"{what} passes the schema and is refused: {done.stderr}")
    expect(named in done.stderr, f"{what}: the refusal says {named}: {done.stderr}")


def refusals() -> None:
    for values in ACCEPTED:
        done = template(values)
        expect(done.returncode == 0, f"{values} is accepted: {done.stderr}")
    for case in REFUSED_BY_SCHEMA.items():
        refused_by_schema(case)
    for case in REFUSED_BY_TEMPLATES.items():
        refused_by_templates(case)
    print(f"refused, and named: {len(REFUSED_BY_SCHEMA)} by the schema, {len(REFUSED_BY_TEMPLATES)} by the templates; a key of the cloud in none of its places")
