"""One emulated cloud and one sidecar in front of it, with their logs."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

BINARY = os.environ["FAAS_SIDECAR"]
CONFIG = Path("examples/faas.yaml")
# Invented.
KEYS = {
    "NCLOUD_ACCESS_KEY_ID": "e2e-access-key", "NCLOUD_SECRET_ACCESS_KEY": "e2e-secret-key-not-real",
    "HUAWEICLOUD_SDK_AK": "E2EACCESSKEY00000001", "HUAWEICLOUD_SDK_SK": "e2e-secret-key-not-real-00000000000000001",
}
PLACE = {"ncp": [], "functiongraph": ["--region", "ap-southeast-3", "--project-id", "0123456789abcdef0123456789abcdef"]}


def wait_for(path, pattern, process, seconds=20):
    """The first match in a file that a process writes."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(pattern, path.read_text()):
            return found
        time.sleep(0.02)
    raise AssertionError(f"no {pattern} in {path} within {seconds} s:\n{path.read_text()}")


class Rig:
    """The example's own configuration, led to an emulator that records what it gets."""

    def __init__(self, work: Path, cloud: str, transport: str, *faults: str):
        self.work, self.cloud, self.transport = work, cloud, transport
        self.faults = [argument for fault in faults for argument in ("--fault", fault)]
        self.processes = []

    def __enter__(self):
        try:
            emulator = self.start("emulator", "--cloud", self.cloud, "--listen", "127.0.0.1:0", "--record-file", self.work / "requests",
                                  *PLACE[self.cloud], *self.faults)
            url = wait_for(self.work / "emulator.out", r"http://127\.0\.0\.1:\d+", emulator).group()
            lines = []
            for line in CONFIG.read_text().splitlines():
                lines.append(line)
                if line == f"  {self.cloud}:":
                    lines += [f"    base_url: {url}"] + [f"    iam_url: {url}"] * (self.cloud == "functiongraph")
            (self.work / "faas.yaml").write_text("\n".join(lines))
            listen = "127.0.0.1:0" if self.transport == "tcp" else f"unix:{self.work}/faas.sock"
            sidecar = self.start("serve", "--config", self.work / "faas.yaml", "--listen", listen, "--log-format", "json")
            wait_for(self.work / "serve.err", '"message":"ready"', sidecar)
            self.address = wait_for(self.work / "serve.err", r'"message":"listening","address":"([^"]+)"', sidecar).group(1)
        except BaseException as error:
            self.__exit__(error)
            raise
        return self

    def start(self, command, *arguments):
        with open(self.work / f"{command}.out", "w") as out, open(self.work / f"{command}.err", "w") as err:
            process = subprocess.Popen([BINARY, command, *map(str, arguments)], stdout=out, stderr=err, env=os.environ | KEYS)
        self.processes.append(process)
        return process

    def __exit__(self, *failure):
        """Ends both, so that their logs are whole."""
        codes = []
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            codes.append(process.wait(60))
        assert any(failure) or codes == [0, 0], f"exit codes of sidecar and emulator: {codes}"

    def calls(self, method):
        """The access log's lines of one method, by the time at which the calls arrived, in seconds."""
        found = []
        for line in (self.work / "serve.err").read_text().splitlines():
            if f'"method":"faas.v1.{method}"' in line:
                call = json.loads(line)
                hours, minutes, seconds = call["timestamp"].rstrip("Z").split("T")[1].split(":")
                call["end"] = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
                call["start"] = call["end"] - call["duration_us"] / 1e6
                found.append(call)
        return sorted(found, key=lambda call: call["start"])

    def runs(self):
        """The requests to run a function that the cloud got."""
        requests = [json.loads(line) for line in (self.work / "requests").read_text().splitlines()]
        path = r"/actions/[^/]+\?" if self.cloud == "ncp" else r"/invocations$"
        return [request for request in requests if request["method"] == "POST" and re.search(path, request["target"])]
