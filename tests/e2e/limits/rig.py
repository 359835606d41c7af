"""The binary inside a memory cgroup with the chart's own limits and configuration, and what is seen of it from outside."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml

from memory_group import MIB, MemoryGroup

BINARY = os.environ["FAAS_SIDECAR"]
REPOSITORY = Path(__file__).resolve().parents[3]
VALUES = yaml.safe_load((REPOSITORY / "helm/faas-sidecar/values.yaml").read_text())
# Invented.
TOKEN = "limits-token-not-real-0001"
KEYS = {"NCLOUD_ACCESS_KEY_ID": "LIMITSACCESSKEY00001", "NCLOUD_SECRET_ACCESS_KEY": "limits-secret-key-not-real-00000000001",
        "HUAWEICLOUD_SDK_AK": "LIMITSACCESSKEY00002", "HUAWEICLOUD_SDK_SK": "limits-secret-key-not-real-00000000002"}
PROJECT = "0123456789abcdef0123456789abcdef"


class Broken(AssertionError):
    """What must hold does not."""


def must(holds: object, what: str) -> None:
    if not holds:
        raise Broken(what)


def eventually(holds, seconds: float, what: str) -> None:
    until = time.monotonic() + seconds
    while not (found := holds()):
        must(time.monotonic() < until, f"within {seconds:.0f} s: {what}")
        time.sleep(0.05)
    return found


def limit_of(role: str) -> int:
    """The chart's memory limit in bytes."""
    place = {"sidecar": VALUES, "gateway": VALUES["gateway"], "injector": VALUES["injection"]["webhook"]}[role]
    return int(place["resources"]["limits"]["memory"].removesuffix("Mi")) * MIB


def targets(port: int, **more) -> dict:
    """One target of each cloud before one upstream on loopback."""
    url = f"http://127.0.0.1:{port}"
    return {"ncp": {"provider": "ncp", "base_url": url, **more},
            "functiongraph": {"provider": "functiongraph", "region": "ap-southeast-3", "project_id": PROJECT, "base_url": url, **more}}


def free_port() -> int:
    """A TCP port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Product:
    """One running process of the product and its group. `log` is what it has written so far."""

    def __init__(self, role: str, *command: object, config: dict | None = None, env: dict | None = None, limit: int | None = None, ready: str = '"ready"'):
        self.directory = Path(tempfile.mkdtemp(prefix="faas-limits-"))
        self.group = MemoryGroup(limit or limit_of(role))
        self.kills = 0
        if config is not None:
            (self.directory / "faas.yaml").write_text(json.dumps(config))
            command = (*command, "--config", self.directory / "faas.yaml")
        surroundings = {"PATH": os.environ["PATH"], **KEYS, **(env or {})}
        with open(self.directory / "out", "w") as out, open(self.directory / "log", "w") as err:
            self.process = subprocess.Popen(self.group.command(BINARY, *command), stdout=out, stderr=err, env=surroundings)
        try:
            eventually(lambda: self.process.poll() is not None or ready in self.log + self.out, 30, f"it starts:\n{self.log}")
            must(self.process.poll() is None, f"it starts:\n{self.log}")
        except Broken:
            self.close()
            raise
        self.idle = self.group.anonymous()

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    @property
    def out(self) -> str:
        return (self.directory / "out").read_text(errors="replace")

    @property
    def port(self) -> int:
        """The first TCP port that it listens at."""
        found = eventually(lambda: re.search(r'"address":"127\.0\.0\.1:(\d+)"', self.log), 10, f"it tells its port:\n{self.log}")
        return int(found.group(1))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def alive(self) -> None:
        """Fails when the process has ended or the kernel has killed in its group."""
        must(self.group.kills() == 0, f"alive within {self.group.limit // MIB} MiB; the kernel killed it for want of memory")
        must(self.process.poll() is None, f"alive; it ended with {self.process.returncode}:\n{self.log[-600:]}")

    def clean(self) -> None:
        """Alive, and no line of the log tells of a bug."""
        self.alive()
        bugs = [line[:300] for line in self.log.splitlines() if '"ERROR"' in line or "panic" in line]
        must(not bugs, f"no ERROR line and no panic in the log: {bugs[:3]}")

    def used(self) -> str:
        """For the table: heap and stacks now, and at most so far."""
        return f"{self.group.anonymous() / MIB:.0f} MiB, at most {self.group.most / MIB:.0f} of {self.group.limit // MIB}"

    def page(self, port: int, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.kills = self.group.kills()
        self.peak, self.most = self.group.peak(), self.group.most
        self.group.__exit__()
        shutil.rmtree(self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Sidecar(Product):
    """`serve` with the chart's configuration at a TCP port and a Unix socket; `more` replaces or adds keys of the configuration.

    As a gateway it asks callers for TOKEN, unless `env` names a certificate.
    """

    def __init__(self, upstream_port: int, role: str = "sidecar", target: dict | None = None, env: dict | None = None, **more):
        self.socket = tempfile.mktemp(prefix="faas-limits-", suffix=".sock")
        config = {**VALUES["config"], "drain_timeout": "1s", "default_target": "ncp", "targets": targets(upstream_port, **(target or {})), **more}
        surroundings = {"FAAS_SIDECAR_LISTEN": f"127.0.0.1:0,unix:{self.socket}", "FAAS_SIDECAR_ADDRESS": f"unix:{self.socket}"}
        if role == "gateway" and not env:
            tokens = Path(self.socket + ".tokens")
            tokens.write_text(TOKEN + "\n")
            surroundings["FAAS_SIDECAR_AUTH_TOKEN_FILE"] = str(tokens)
        super().__init__(role, "serve", config=config, env=surroundings | (env or {}))

    def probe(self, address: str | None = None) -> None:
        """The kubelet's probe: inside the container, and within the chart's time."""
        done = subprocess.run(self.group.command(BINARY, "probe", "--address", address or f"unix:{self.socket}"), capture_output=True, text=True, timeout=30)
        must(done.returncode == 0, f"the probe is answered; it says: {(done.stdout + done.stderr).strip()[:200]}")

    def close(self) -> None:
        super().close()
        for left in [self.socket, self.socket + ".tokens"]:
            Path(left).unlink(missing_ok=True)


def certificate(directory: Path) -> tuple[Path, Path, Path]:
    """A certificate for localhost, good for servers and clients, its key, and its authority."""
    chain, key, authority, own = (directory / name for name in ("tls.crt", "tls.key", "ca.crt", "ca.key"))
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*new, "-subj", "/CN=limits authority", "-out", authority, "-keyout", own], check=True, capture_output=True)
    subprocess.run([*new, "-subj", "/CN=localhost", "-CA", authority, "-CAkey", own, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
                    "-out", chain, "-keyout", key], check=True, capture_output=True)
    return chain, key, authority
