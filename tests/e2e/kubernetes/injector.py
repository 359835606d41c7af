"""The webhook of a release, run on this machine as its Deployment says: the same arguments, with the ConfigMap and the Secret as directories, listening
at the address of its Service."""

import base64
import socket
import subprocess
from pathlib import Path

from cluster import Cluster, wait_for


class Injector:
    """Leaving the context ends it; what it logged is in `log`."""

    def __init__(self, cluster: Cluster, binary: str, namespace: str, name: str):
        self.cluster, self.binary, self.namespace, self.name = cluster, binary, namespace, name
        self.directory = cluster.work / f"{namespace}-{name}"
        self.directory.mkdir(exist_ok=True)
        self.log = self.directory / "log"

    def __enter__(self) -> "Injector":
        spec = self.cluster.get("deployment", self.name, "-n", self.namespace)["spec"]["template"]["spec"]
        service = self.cluster.get("service", self.name, "-n", self.namespace)["spec"]
        address = f"{service['clusterIP']}:{service['ports'][0]['port']}"
        container = spec["containers"][0]
        arguments = [argument if not argument.startswith("--listen=") else f"--listen={address}" for argument in container["args"]]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for mount in container["volumeMounts"]:
            directory = self.directory / mount["name"]
            self.fill(directory, volumes[mount["name"]])
            arguments = [argument.replace(mount["mountPath"] + "/", f"{directory}/") for argument in arguments]
        self.process = subprocess.Popen([self.binary, *arguments], stderr=self.log.open("ab"), stdin=subprocess.DEVNULL)
        try:
            host, port = address.split(":")
            wait_for("the webhook listens", lambda: self.listens(host, int(port)), 20)
        except BaseException:
            self.process.kill()
            raise
        return self

    def fill(self, directory: Path, volume: dict) -> None:
        directory.mkdir(exist_ok=True)
        if "configMap" in volume:
            data = self.cluster.get("configmap", volume["configMap"]["name"], "-n", self.namespace)["data"]
            files = {key: text.encode() for key, text in data.items()}
        else:
            data = self.cluster.get("secret", volume["secret"]["secretName"], "-n", self.namespace)["data"]
            files = {item["path"]: base64.b64decode(data[item["key"]]) for item in volume["secret"]["items"]}
        for name, content in files.items():
            (directory / name).write_bytes(content)

    def listens(self, host: str, port: int) -> bool:
        if self.process.poll() is not None:
            raise SystemExit(f"the webhook ended with {self.process.returncode}:\n{self.log.read_text()}")
        with socket.socket() as one:
            return one.connect_ex((host, port)) == 0

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(15)

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
