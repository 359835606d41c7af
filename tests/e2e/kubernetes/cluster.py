"""A Kubernetes API server with its etcd on loopback, and kubectl and helm against it. There is no scheduler, no controller and no kubelet: what is
created is admitted and stored, and nothing runs."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import time
from pathlib import Path

# Service addresses are loopback addresses here, so a program of this machine can listen at a Service's address without any kube-proxy.
SERVICES = "127.77.0.0/24"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}


def expect(holds: object, what: str) -> None:
    if not holds:
        raise SystemExit(f"does not hold: {what}")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(what: str, holds, seconds: float = 60):
    """Asks again until the answer is true; gives it back."""
    end = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not so within {seconds} s")
        time.sleep(0.1)


class Cluster:
    """Everything below `work`; leaving the context ends the processes. The programs are etcd, kube-apiserver, kubectl and helm in `tools`."""

    def __init__(self, tools: Path, work: Path, *flags: str):
        self.tools, self.work, self.flags = tools, work, flags
        self.running: list[tuple[str, subprocess.Popen]] = []

    def __enter__(self) -> "Cluster":
        self.work.mkdir()
        try:
            self.start_etcd()
            self.start_api_server()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for _, process in reversed(self.running):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, *command: str | Path) -> subprocess.Popen:
        log = (self.work / f"{name}.log").open("ab")
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        self.running.append((name, process))
        return process

    def log(self, name: str) -> str:
        return (self.work / f"{name}.log").read_text(errors="replace")

    def alive(self) -> None:
        for name, process in self.running:
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with {process.returncode}:\n{self.log(name)[-3000:]}")

    def start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.etcd = client
        self.start("etcd", self.tools / "etcd", "--data-dir", self.work / "etcd", "--unsafe-no-fsync", "--listen-client-urls", client,
                   "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                   "--initial-cluster", f"default={peer}", "--log-level", "warn")

    def start_api_server(self) -> None:
        port, token, key = free_port(), os.urandom(16).hex(), self.work / "service-accounts.key"
        subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-out", key], check=True, timeout=30)
        (self.work / "tokens").write_text(f"{token},admin,admin,system:masters\n")
        self.start("kube-apiserver", self.tools / "kube-apiserver", "--etcd-servers", self.etcd, "--bind-address", "127.0.0.1", "--secure-port", str(port),
                   "--advertise-address", "192.0.2.1", "--endpoint-reconciler-type", "none", "--cert-dir", self.work / "certificates",
                   "--service-cluster-ip-range", SERVICES, "--token-auth-file", self.work / "tokens", "--authorization-mode", "RBAC",
                   "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key,
                   "--service-account-signing-key-file", key, "--shutdown-delay-duration", "0s", *self.flags)
        authority = wait_for("the API server's certificate", self.authority)
        self.address, self.headers = f"127.0.0.1:{port}", {"Authorization": f"Bearer {token}"}
        self.trust = ssl.create_default_context(cafile=authority)
        self.environment = {**os.environ, "KUBECONFIG": str(self.work / "kubeconfig"), "HELM_CACHE_HOME": str(self.work / "helm/cache"),
                            "HELM_CONFIG_HOME": str(self.work / "helm/config"), "HELM_DATA_HOME": str(self.work / "helm/data")}
        (self.work / "kubeconfig").write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(authority)}}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }))
        wait_for("the API server is ready", lambda: self.run("kubectl", "get", "--raw", "/readyz").returncode == 0, 120)

    def authority(self) -> Path | None:
        self.alive()
        file = self.work / "certificates/apiserver.crt"
        return file if file.exists() else None

    def run(self, tool: str, *arguments: str | Path, stdin: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess:
        command = [str(self.tools / tool), *map(str, arguments)]
        return subprocess.run(command, input=stdin, text=True, capture_output=True, env=self.environment, timeout=timeout)

    def must(self, tool: str, *arguments: str | Path, stdin: str | None = None) -> str:
        done = self.run(tool, *arguments, stdin=stdin)
        if done.returncode:
            raise SystemExit(f"{tool} {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> str:
        return self.must("kubectl", *arguments, stdin=stdin)

    def command(self, *command: str | Path, stdin: str | None = None) -> str:
        """Any other program."""
        return subprocess.run(command, input=stdin, text=True, stdout=subprocess.PIPE, check=True, timeout=120).stdout

    def helm(self, *arguments: str | Path) -> str:
        return self.must("helm", *arguments)

    def install(self, release: str, chart: Path, namespace: str, values: dict | Path, *more: str) -> None:
        """An install, or an upgrade to these values."""
        file, text = ("-", json.dumps(values)) if isinstance(values, dict) else (values, None)
        self.must("helm", "upgrade", "--install", release, chart, "-n", namespace, "--wait=false", "--reset-values", "-f", file, *more, stdin=text)

    def get(self, *arguments: str) -> dict:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def lists(self, *paths: str) -> list[dict]:
        """The items at paths of the API, over one connection."""
        connection, items = http.client.HTTPSConnection(self.address, context=self.trust, timeout=30), []
        for path in paths:
            connection.request("GET", path, headers=self.headers)
            answer = json.load(connection.getresponse())
            items += [{"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List"), **item} for item in answer["items"]]
        connection.close()
        return items

    def apply(self, *objects: dict) -> None:
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def namespace(self, name: str, labels: dict[str, str] = RESTRICTED) -> str:
        """A namespace, in which only restricted pods are admitted, with the ServiceAccount that a controller would make."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name},
                    "automountServiceAccountToken": False})
        return name
