"""The sidecar in a chart that depends on this one: every mode rendered, its configuration accepted by the sidecar, at its socket run as Kubernetes would."""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import certifi
import yaml

from rig import BINARY, CHART, OLDEST, VERSIONS, containers, environment, expect, in_application, one, pods, restricted, wired

MODES = {path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("ci/*-values.yaml"))}
# Those of the sidecar itself; the others are for the webhook and the gateway.
OWN = {name: values for name, values in MODES.items() if not {"injection", "gateway"} & values.keys()}


def modes() -> None:
    for name, values in OWN.items():
        for version in VERSIONS:
            found = in_application(values, version=version)
            wired(name, found)
            for key, pod in pods(found).items():
                restricted(f"{name}, {key}", pod)
        mode(name, values, found)
    wired("classic, oldest", in_application(OWN["classic"], version=OLDEST))
    changed = in_application({**MODES["port"], "config": {**MODES["port"]["config"], "threads": 2}})
    digests = [one(found, "Deployment")["spec"]["template"]["metadata"]["annotations"] for found in (changed, in_application(MODES["port"]))]
    expect(digests[0] != digests[1], "a new configuration starts new pods")
    print(f"in a chart that depends on this one, valid by the schemas of Kubernetes {', '.join(VERSIONS)}: {', '.join(OWN)}; of {OLDEST}: classic")
    print("the sidecar accepts every rendered configuration; at its socket it starts, answers the probe, and ends with 0")


def mode(name: str, values: dict, found: dict) -> None:
    pod = one(found, "Deployment")["spec"]["template"]
    native = values.get("nativeSidecar", True)
    socket = values.get("socket", {}).get("enabled", False)
    sidecar = pod["spec"]["initContainers" if native else "containers"][0]
    app = pod["spec"]["containers"][-1]
    expect(len(containers(pod)) == 2, f"{name}: one sidecar, one application")
    expect(sidecar.get("restartPolicy") == ("Always" if native else None), f"{name}: restartPolicy")
    expect(sidecar["securityContext"].get("runAsUser") == (None if name == "classic" else 65532), f"{name}: the numeric user, unless taken away")
    expect(sidecar["resources"]["requests"] == {"cpu": "10m", "memory": "16Mi"}, f"{name}: requests")
    config = yaml.safe_load(one(found, "ConfigMap")["data"]["faas.yaml"])
    env = environment(sidecar)
    address = environment(app)["FAAS_SIDECAR_ADDRESS"]
    expect(address == config["listen"][0] == env["FAAS_SIDECAR_ADDRESS"], f"{name}: the application and the probes call where the sidecar listens")
    expect(env["FAAS_SIDECAR_LISTEN"].split(",") == config["listen"], f"{name}: its environment says what its configuration says")
    expect(env.get("FAAS_SIDECAR_LOG_LEVEL") == values.get("logLevel"), f"{name}: the level of the log")
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"]:
        expect(sidecar[probe]["exec"]["command"] == [*sidecar["command"], "probe"], f"{name}: {probe}")
        expect(sidecar[probe]["timeoutSeconds"] > 1, f"{name}: {probe} outlasts the probe's own second")
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    for container in [sidecar, app] if socket else []:
        places = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        expect("emptyDir" in volumes[places["/run/faas-sidecar"]], f"{name}: {container['name']} has the socket's directory")
    expect(address == "unix:/run/faas-sidecar/faas.sock" if socket else not address.startswith("unix:"), f"{name}: port or socket")
    expect(not any(mount["name"] == "faas-sidecar-credentials" for mount in app.get("volumeMounts", [])), f"{name}: no keys for the application")
    credentials(name, values, config, sidecar, volumes)
    annotations = pod["metadata"]["annotations"]
    expect("sha256" not in str(annotations) and len(annotations["checksum/faas-sidecar-config"]) == 64, f"{name}: checksum")
    by_binary(name, one(found, "ConfigMap")["data"]["faas.yaml"], sidecar)


def credentials(name: str, values: dict, config: dict, sidecar: dict, volumes: dict) -> None:
    secrets = values.get("credentials", {}).get("existingSecrets", {})
    mounts = [mount["mountPath"] for mount in sidecar["volumeMounts"] if mount["name"] == "faas-sidecar-credentials"]
    expect(bool(mounts) == bool(secrets), f"{name}: keys are mounted")
    if not secrets:
        return
    sources = [source["secret"] for source in volumes["faas-sidecar-credentials"]["projected"]["sources"]]
    files = {f"{mounts[0]}/{item['path']}": (secret["name"], item["key"], secret.get("optional", False)) for secret in sources for item in secret["items"]}
    order = [secret.get("optional", False) for secret in sources]
    expect(order == sorted(order), f"{name}: what must be there comes before what may be")
    for target, secret in secrets.items():
        told = config["targets"][target]["credentials"]
        needed = ["username", "password", "domain"] if told["source"] == "iam_password" else ["access-key-id", "secret-access-key"]
        for key in needed:
            expect(files[f"{told['directory']}/{key}"] == (secret, key, False), f"{name}: {key} of {target}")
        token = files.get(f"{told['directory']}/security-token")
        expect(token == (None if len(needed) == 3 else (secret, "security-token", True)), f"{name}: security-token of {target}")


def by_binary(name: str, config: str, sidecar: dict) -> None:
    """The pod's paths below a directory."""
    with tempfile.TemporaryDirectory() as root:

        def moved(text: str) -> str:
            return re.sub(r"/(etc|run|var/run/secrets)/faas-sidecar", rf"{root}/\1", text)

        for directory in ["etc", "etc-ca", "run"]:
            Path(root, directory).mkdir()
        shutil.copy(certifi.where(), Path(root, "etc-ca/ca.pem"))
        file = Path(root, "etc/faas.yaml")
        file.write_text(moved(config))
        answer = subprocess.run([BINARY, "check", "--config", file], capture_output=True, text=True, timeout=30)
        expect(answer.returncode == 0, f"{name}: the sidecar accepts its configuration: {answer.stdout}{answer.stderr}\n{config}")
        if name != "socket":
            return
        env = {variable: moved(value) for variable, value in environment(sidecar).items() if value}
        with serving([BINARY, *map(moved, sidecar["args"])], env, [BINARY, *sidecar["startupProbe"]["exec"]["command"][1:]]):
            mode = Path(root, "run/faas.sock").stat().st_mode & 0o777
            expect(mode == 0o666, f"{name}: every container of the pod may call, whatever its user: {mode:o}")


class serving:
    """The sidecar as Kubernetes runs it: started, probed until it answers, ended by SIGTERM with 0."""

    def __init__(self, command: list[str], env: dict[str, str], probe: list[str]):
        self.command, self.env, self.probe = command, env, probe

    def __enter__(self) -> subprocess.Popen:
        self.running = subprocess.Popen(self.command, env=self.env, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 10
        while subprocess.run(self.probe, env=self.env, capture_output=True, timeout=10).returncode != 0:
            if self.running.poll() is not None or time.monotonic() > deadline:
                self.running.kill()
                expect(False, f"the probe finds the sidecar: {self.running.communicate()[1]}")
            time.sleep(0.05)
        return self.running

    def __exit__(self, *_: object) -> None:
        self.running.terminate()
        try:
            _, log = self.running.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.running.kill()
            raise
        expect(self.running.returncode == 0, f"SIGTERM ends it with 0: {log}")
