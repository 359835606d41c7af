"""What `run` checks, one function a claim. Each prints a line; the first that does not hold ends the script."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import certifi
import helm_python as helm
import kubernetes_validate
import yaml

import embed

HERE = Path(__file__).resolve().parent
CHART = embed.CHART
MODES = {path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("ci/*-values.yaml"))}
# The oldest Kubernetes that Chart.yaml allows, one between, and the newest known.
VERSIONS = ["1.29.0", "1.33.0", kubernetes_validate.latest_version()]
IDENTITY = "0123456789abcdef0123456789abcdef"


def expect(holds: object, what: str) -> None:
    if not holds:
        sys.exit(f"does not hold: {what}")


def application(values: dict, directory: str) -> dict:
    """A chart that depends on this one, resolved by Helm and rendered: objects by kind."""
    copy = Path(directory, "a", "b", "c", "application")
    if not copy.exists():
        shutil.copytree(HERE / "application", copy)
        shutil.copytree(CHART, Path(directory, "helm", "faas-sidecar"))
        helm.dependency_update(copy, skip_refresh=True)
        expect(helm.dependency_list(copy)[0]["status"] == "ok", "the dependency is resolved")
    with helm.Chart.load(copy) as chart:
        return objects(chart.render({"faas-sidecar": values}, name="shop", namespace="team"))


def alone(values: dict) -> dict[str, str]:
    """The chart itself, rendered: texts by file."""
    with helm.Chart.load(CHART) as chart:
        return {Path(file).name: text for file, text in chart.render(values, name="faas", namespace="team").items()}


def objects(files: dict[str, str]) -> dict:
    found = [item for file, text in files.items() if file.endswith(".yaml") for item in yaml.safe_load_all(text) if item]
    for item in found:
        for version in VERSIONS:
            kubernetes_validate.validate(item, version, strict=True)
    return {item["kind"]: item for item in found}


def lint() -> None:
    for name, values in {"default": {}, **MODES}.items():
        for version in ["v1.29.0", "v1.29.3-r0", "v1.37.0"]:
            report = helm.lint(CHART, values, strict=True, kube_version=version)
            expect(not report["errors"] and all(message["severity"] < 2 for message in report["messages"]), f"lint, {name}: {report}")
    broken = helm.lint(CHART, {"nativeSidecar": "yes"}, strict=True)
    expect(broken["errors"], "lint finds a wrong value")
    print(f"lint --strict passes with the defaults and {len(MODES)} files of values, by Helm {helm.helm_sdk_version()}")


def package() -> None:
    with tempfile.TemporaryDirectory() as directory:
        archive = helm.package(CHART, destination=directory)
        with helm.Chart.load(archive) as chart:
            names = {file["name"] for file in chart.files} | {file["name"] for file in chart.templates}
            expect({"README.md", "templates/NOTES.txt", "templates/_sidecar.tpl"} <= names, f"the package is whole: {names}")
            expect(chart.schema and not any(name.startswith("ci/") for name in names), "the package has the schema, and not ci/")
    print("package makes an archive with templates, schema, README")


def every_value_is_commented() -> None:
    section = ""
    lines = (CHART / "values.yaml").read_text().splitlines()
    for before, line in zip(["", *lines], lines):
        key = re.match(r"( *)([A-Za-z_]+):", line)
        if not key:
            continue
        if not key[1]:
            section = key[2]
        elif section in {"resources", "securityContext"}:  # Kubernetes' own keys; one comment tells the whole
            continue
        expect(before.strip().startswith("#"), f"values.yaml: a comment is above {line.strip()}")
    with helm.Chart.load(CHART) as chart:
        expect(set(chart.schema["properties"]) == set(chart.values) | {"global", "enabled"}, "values.yaml and the schema have the same keys")
    print("values.yaml has every key of the schema, commented")


def modes() -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name, values in MODES.items():
            found = application(values, directory)
            pod = found["Deployment"]["spec"]["template"]
            spec = pod["spec"]
            native = values.get("nativeSidecar", True)
            socket = values.get("socket", {}).get("enabled", False)
            sidecar = spec["initContainers" if native else "containers"][0]
            app = spec["containers"][-1]
            expect(len(spec["containers"]) + len(spec.get("initContainers", [])) == 2, f"{name}: one sidecar, one application")
            expect(sidecar.get("restartPolicy") == ("Always" if native else None), f"{name}: restartPolicy")
            restricted(name, sidecar)
            config = yaml.safe_load(found["ConfigMap"]["data"]["faas.yaml"])
            address = {variable["name"]: variable.get("value") for variable in app["env"]}["FAAS_SIDECAR_ADDRESS"]
            expect(address == config["listen"][0], f"{name}: the application calls where the sidecar listens")
            expect(address.startswith("unix:") == socket, f"{name}: port or socket")
            expect({"name": "FAAS_SIDECAR_ADDRESS", "value": address} in sidecar["env"], f"{name}: the probes ask there too")
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"]:
                expect(sidecar[probe]["exec"]["command"] == [*sidecar["command"], "probe"], f"{name}: {probe}")
                expect(sidecar[probe]["timeoutSeconds"] > 1, f"{name}: {probe} outlasts the probe's own second")
            volumes = {volume["name"]: volume for volume in spec["volumes"]}
            expect(len(volumes) == len(spec["volumes"]), f"{name}: each volume once")
            for container in [sidecar, app]:
                for mount in container.get("volumeMounts", []):
                    expect(mount["name"] in volumes, f"{name}: {mount['name']} is a volume")
            if socket:
                for container in [sidecar, app]:
                    places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
                    expect("emptyDir" in volumes[places["/run/faas-sidecar"]], f"{name}: {container['name']} has the socket's directory")
                expect(address == "unix:/run/faas-sidecar/faas.sock", f"{name}: the socket is there")
            expect(volumes["faas-sidecar-config"]["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"], f"{name}: the ConfigMap")
            expect(not any(mount["name"] == "faas-sidecar-credentials" for mount in app.get("volumeMounts", [])), f"{name}: no keys for the application")
            credentials(name, values, config, sidecar, volumes)
            expect("sha256" not in str(pod["metadata"]) and len(pod["metadata"]["annotations"]["checksum/faas-sidecar-config"]) == 64, f"{name}: checksum")
            by_binary(name, found["ConfigMap"]["data"]["faas.yaml"], sidecar)
        changed = application({**MODES["port"], "config": {**MODES["port"]["config"], "threads": 2}}, directory)
        same = application(MODES["port"], directory)
        digests = [item["Deployment"]["spec"]["template"]["metadata"]["annotations"] for item in (changed, same)]
        expect(digests[0] != digests[1], "a new configuration starts new pods")
    print(f"rendered and valid by the schemas of Kubernetes {', '.join(VERSIONS)}, within a chart that depends on this one: {', '.join(MODES)}")


def restricted(name: str, container: dict) -> None:
    context = container["securityContext"]
    expect(context["runAsNonRoot"] is True and context["allowPrivilegeEscalation"] is False, f"{name}: no root")
    expect(context["readOnlyRootFilesystem"] is True and context["capabilities"] == {"drop": ["ALL"]}, f"{name}: nothing to write, no capability")
    expect(context["seccompProfile"] == {"type": "RuntimeDefault"}, f"{name}: seccomp")
    expect(context.get("runAsUser") == (None if name == "classic" else 65532), f"{name}: the numeric user, unless taken away")
    expect(container["resources"]["requests"] == {"cpu": "10m", "memory": "16Mi"}, f"{name}: requests")
    expect("cpu" not in container["resources"]["limits"], f"{name}: no limit on the CPU")


def credentials(name: str, values: dict, config: dict, sidecar: dict, volumes: dict) -> None:
    secrets = values.get("credentials", {}).get("existingSecrets", {})
    mounts = [mount["mountPath"] for mount in sidecar["volumeMounts"] if mount["name"] == "faas-sidecar-credentials"]
    expect(bool(mounts) == bool(secrets), f"{name}: keys are mounted")
    if not secrets:
        return
    files = {
        f"{mounts[0]}/{item['path']}": (source["secret"]["name"], item["key"], source["secret"].get("optional", False))
        for source in volumes["faas-sidecar-credentials"]["projected"]["sources"]
        for item in source["secret"]["items"]
    }
    for target, secret in secrets.items():
        told = config["targets"][target]["credentials"]
        needed = ["username", "password", "domain"] if told["source"] == "iam_password" else ["access-key-id", "secret-access-key"]
        for key in needed:
            expect(files[f"{told['directory']}/{key}"] == (secret, key, False), f"{name}: {key} of {target}")
        token = files.get(f"{told['directory']}/security-token")
        expect(token == (None if len(needed) == 3 else (secret, "security-token", True)), f"{name}: security-token of {target}")


def by_binary(name: str, config: str, sidecar: dict) -> None:
    """The sidecar accepts its configuration; at its socket it starts and stops as Kubernetes would do it, the pod's paths below a directory."""
    if not BINARY:
        return
    with tempfile.TemporaryDirectory() as root:
        def moved(text: str) -> str:
            return re.sub(r"/(etc|run|var/run/secrets)/faas-sidecar", rf"{root}/\1", text)

        for directory in ["etc", "etc-ca", "run"]:
            Path(root, directory).mkdir()
        shutil.copy(certifi.where(), Path(root, "etc-ca/ca.pem"))
        file = Path(root, "etc/faas.yaml")
        file.write_text(moved(config))
        answer = subprocess.run([BINARY, "check", "--config", file], capture_output=True, text=True)
        expect(answer.returncode == 0, f"{name}: the sidecar accepts its configuration: {answer.stdout}{answer.stderr}\n{config}")
        if name != "socket":
            return
        env = {variable["name"]: moved(variable["value"]) for variable in sidecar["env"] if "value" in variable}
        command = [BINARY, *map(moved, sidecar["args"])]
        probe = [BINARY, *sidecar["startupProbe"]["exec"]["command"][1:]]
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as running:
            healthy = False
            deadline = time.monotonic() + 10
            while not healthy and running.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
                healthy = subprocess.run(probe, env=env, capture_output=True).returncode == 0
            running.terminate()
            _, log = running.communicate(timeout=10)
            expect(healthy, f"{name}: the probe finds the sidecar: {log}")
            expect(running.returncode == 0, f"{name}: SIGTERM ends it with 0: {log}")


def notes() -> None:
    for name, values in {"default": {}, **MODES}.items():
        files = alone(values)
        text = files["NOTES.txt"]
        pod = yaml.safe_load("spec:" + text.split("\nspec:")[1].split("\nand in each")[0])["spec"]
        app = {"name": "application", "image": "application", **yaml.safe_load("env:" + text.split("\nenv:")[1])}
        pod["containers"] = [*pod.get("containers", []), app]
        whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": pod}
        objects({"pod.yaml": yaml.safe_dump(whole)})
        objects({"configmap.yaml": files["configmap.yaml"]})
        labels = yaml.safe_load(files["configmap.yaml"])["metadata"]["labels"]
        for label in ["name", "instance", "version", "component", "part-of", "managed-by"]:
            expect(labels.get(f"app.kubernetes.io/{label}"), f"{name}: the label {label}")
    expect("existingSecrets.default=faas-keys" in alone({})["NOTES.txt"], "the notes tell how to name a Secret")
    print("the notes' container, pasted into a pod, is a valid pod; labels are the recommended ones")


def readme() -> None:
    text = (CHART / "README.md").read_text()
    rendered = (HERE / "application/templates/deployment.yaml").read_text()
    lines = [line.split("   #")[0].strip() for line in text.splitlines() if "{{- include" in line]
    expect(len(lines) == 3, "the README shows three lines")
    for line in lines:
        expect(line in rendered, f"the chart that is tested has the README's line: {line}")
    print("the README's three lines are those of the chart that is tested")


def numbers_and_addresses() -> None:
    config = yaml.safe_load(alone({"config": {"max_message_size": 67108864, "targets": {"a": {"provider": "ncp", "api_version": 2.0}}}})["configmap.yaml"])
    config = yaml.safe_load(config["data"]["faas.yaml"])
    expect(config["max_message_size"] == 67108864 and isinstance(config["max_message_size"], int), "a size stays a whole number")
    expect(config["targets"]["a"]["api_version"] == "2.0", "2.0 does not become 2")
    both = alone({"socket": {"enabled": True}, "config": {"listen": "127.0.0.1:1"}})["configmap.yaml"]
    both = yaml.safe_load(yaml.safe_load(both)["data"]["faas.yaml"])
    expect(both["listen"] == ["unix:/run/faas-sidecar/faas.sock", "127.0.0.1:1"], "the socket comes first, so that it is the application's")
    everywhere = alone({"config": {"listen": "0.0.0.0:1", "allow_remote_clients": True}})["NOTES.txt"]
    expect('value: "127.0.0.1:1"' in everywhere, "an address of every interface is called at loopback")
    print("numbers and addresses reach the sidecar and the application as they were meant")


def monitoring() -> None:
    off = alone({})
    expect(not any(yaml.safe_load(off.get(file, "")) for file in ["dashboard.yaml", "alerts.yaml"]), "monitoring is off unless asked for")
    on = {"dashboard": {"enabled": True}, "alerts": {"enabled": True, "labels": {"release": "prometheus"}, "runbookUrl": "https://docs.example/operations.md"}}
    files = alone({"monitoring": on})
    objects({"dashboard.yaml": files["dashboard.yaml"]})
    board = yaml.safe_load(files["dashboard.yaml"])
    expect(board["metadata"]["labels"]["grafana_dashboard"] == "1", "Grafana finds the dashboard by its label")
    expect(board["data"]["faas-sidecar.json"].strip() == (CHART / "monitoring/dashboard.json").read_text().strip(), "the dashboard is the file's, letter by letter")
    rules = yaml.safe_load(files["alerts.yaml"])
    expect((rules["apiVersion"], rules["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule"), "the rules are a PrometheusRule")
    expect(rules["metadata"]["labels"]["release"] == "prometheus", "Prometheus finds the rules by their label")
    source = yaml.safe_load((CHART / "monitoring/alerts.yaml").read_text())
    anchors = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in (CHART.parents[1] / "docs/operations.md").read_text().splitlines() if line.startswith("#")}
    for found, written in zip(rules["spec"]["groups"][0]["rules"], source["groups"][0]["rules"], strict=True):
        page, anchor = found["annotations"].pop("runbook_url").split("#")
        expect(page == "https://docs.example/operations.md", "a runbook's address is the one given")
        expect(anchor in anchors, f"docs/operations.md has a section for {found['alert']}")
        written["annotations"].pop("runbook_url")
        expect(found == written, f"{found['alert']} is rendered as it was tested")
    print(f"monitoring: off by default; {len(source['groups'][0]['rules'])} alerts, each with its runbook, and the dashboard")


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
    "keys in place of the Secret's name": ({"credentials": {"existingSecrets": {"prod": {"access-key-id": "AK", "secret-access-key": "SK"}}}}, "existingSecrets"),
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
}
REFUSED_BY_TEMPLATES = {
    "a Secret for no target": ({**ncp(), "credentials": {"existingSecrets": {"dev": "keys"}}}, "no target of that name"),
    "a Secret, and keys from the environment": ({**ncp(credentials={"source": "env"}), "credentials": {"existingSecrets": {"prod": "keys"}}}, "source is env"),
    "a Secret, and another directory": ({**ncp(credentials={"directory": "/x"}), "credentials": {"existingSecrets": {"prod": "keys"}}}, "directory is set"),
    "a socket without its directory": ({"config": {"listen": "unix:/run/x.sock"}}, "socket.enabled"),
}


def refusals() -> None:
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema({})
        chart.validate_schema({"global": {"any": 1}, "enabled": True})
        chart.validate_schema(variable(name="NCLOUD_SECRET_KEY", valueFrom={"secretKeyRef": {"name": "s", "key": "k"}}))
        for what, (values, named) in REFUSED_BY_SCHEMA.items():
            for action in (chart.validate_schema, chart.render):
                try:
                    action(values)
                except helm.HelmError as refusal:
                    expect(named in str(refusal), f"{what}: the refusal names {named}: {refusal}")
                else:
                    expect(False, f"{what} is refused by {action.__name__}")
        for what, (values, named) in REFUSED_BY_TEMPLATES.items():
            chart.validate_schema(values)
            try:
                chart.render(values)
            except helm.HelmError as refusal:
                expect(named in str(refusal), f"{what}: the refusal says {named}: {refusal}")
            else:
                expect(False, f"{what} is refused")
    print(f"refused, and named: {len(REFUSED_BY_SCHEMA)} by the schema, {len(REFUSED_BY_TEMPLATES)} by the templates; a key of the cloud in none of its places")


def schema_is_the_sidecars() -> None:
    if not BINARY:
        print("skipped, no binary: whether the schema is the sidecar's, and whether it accepts what is rendered")
        return
    expect(embed.SCHEMA.read_text() == embed.embedded(BINARY), "values.schema.json has the sidecar's schema; renew it with embed.py")
    print("the schema of the configuration is the sidecar's; every rendered configuration passes its `check`; at the socket it starts, answers the probe, ends with 0")


if __name__ == "__main__":
    BINARY = os.environ.get("FAAS_SIDECAR") or next(iter(map(str, CHART.parents[1].glob("target/release/faas-sidecar"))), None)
    for check in [lint, package, every_value_is_commented, modes, notes, readme, numbers_and_addresses, monitoring, refusals, schema_is_the_sidecars]:
        check()
    print("helm: lint, package, every mode, refusals")
