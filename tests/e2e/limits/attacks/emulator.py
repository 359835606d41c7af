"""The emulator on a developer's machine: web pages of others, other programs, what a run leaves behind, a full disk."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from calls import Caller
from rig import BINARY, KEYS, MIB, Product, eventually, must

from . import attack

ACTIONS = "/ncf/api/v2/packages/-/actions"


class Emulator(Product):
    """`emulator` with given keys, or with its own when `keys` is false."""

    def __init__(self, *arguments, keys: bool = True, env: dict | None = None, cloud: str = "ncp"):
        given = {} if keys else {name: "" for name in KEYS}
        super().__init__("sidecar", "emulator", "--cloud", cloud, "--listen", "127.0.0.1:0", *arguments, env={**given, **(env or {})}, limit=512 * MIB, ready="http://127.0.0.1:")

    @property
    def port(self) -> int:
        return int(re.search(r"http://127\.0\.0\.1:(\d+)", self.out + self.log).group(1))

    def ask(self, method: str, path: str, body: object = None, headers: dict | None = None) -> tuple[int, str]:
        """A request to NCP's API, signed with the given keys."""
        stamp, access, secret = str(int(time.time() * 1000)), KEYS["NCLOUD_ACCESS_KEY_ID"], KEYS["NCLOUD_SECRET_ACCESS_KEY"]
        signature = base64.b64encode(hmac.new(secret.encode(), f"{method} {path}\n{stamp}\n{access}".encode(), hashlib.sha256).digest()).decode()
        signed = {"x-ncp-apigw-timestamp": stamp, "x-ncp-iam-access-key": access, "x-ncp-apigw-signature-v2": signature, "content-type": "application/json"}
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        client.request(method, path, None if body is None else json.dumps(body), {**signed, **(headers or {})})
        answer = client.getresponse()
        found = answer.status, answer.read().decode(errors="replace")
        client.close()
        return found

    def put(self, name: str, code: str, runtime: str = "python:3.13", timeout: int = 5000, **how) -> tuple[int, str]:
        action = {"exec": {"kind": runtime, "binary": False, "code": code, "main": "main"}, "limits": {"timeout": timeout, "memory": 256}, "vpc": [{"vpcNo": 1, "subnetNo": 2}]}
        return self.ask("PUT", f"{ACTIONS}/{name}?platform=vpc&type=basic", action, **how)

    def run(self, name: str, **how) -> tuple[int, str]:
        return self.ask("POST", f"{ACTIONS}/{name}?platform=vpc&timeout=20000", {}, **how)


@attack
def web_pages_that_reach_the_emulator():
    """What a browser sends after its page's name came to mean 127.0.0.1, or across origins: refused on each operation, signed or not."""
    code = "def main(p):\n  return {'ran': 1}"
    with Emulator() as emulator:
        must(emulator.put("own", code)[0] == 200, "one's own client is served")
        for headers in ({"Host": "evil.example"}, {"Host": f"evil.example:{emulator.port}"}, {"Host": f"127.0.0.1.evil.example:{emulator.port}"}, {"Origin": "http://evil.example"},
                        {"Origin": "null"}):
            for got in (emulator.put("theirs", code, headers=headers), emulator.run("own", headers=headers), emulator.ask("GET", f"{ACTIONS}?platform=vpc", headers=headers)):
                must(got[0] in (400, 403, 421), f"a request with {headers} is refused: {got[0]} {got[1][:100]}")
        must(emulator.run("own")[0] == 200, "one's own client is served")
        emulator.clean()
    with Emulator(cloud="functiongraph") as emulator:
        client = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
        client.request("GET", "/v3/projects", headers={"Host": "evil.example"})
        must((status := client.getresponse().status) in (400, 403, 421), f"FunctionGraph's emulator refuses a foreign Host: {status}")


@attack
def keys_that_anybody_knows():
    """Unless keys are given, each start has its own."""
    printed = []
    for cloud in ("ncp", "ncp", "functiongraph", "functiongraph"):
        with Emulator(keys=False, cloud=cloud) as emulator:
            found = re.search(r"(?:SECRET_ACCESS_KEY|SDK_SK)=(\S+)", emulator.out + emulator.log)
            must(found, f"it prints its key once: {emulator.out}")
            printed.append(found.group(1))
            must(emulator.put("x", "def main(p):\n  return {}")[0] in (401, 403, 404) if cloud == "ncp" else True, "another key is refused")
    must(len(set(printed)) == 4 and all(len(key) >= 20 for key in printed), f"the keys of four starts differ: {sorted(set(printed))}")


@attack
def runs_that_look_around():
    """A run sees nothing of the environment that the emulator was started in."""
    code = "import os\ndef main(p):\n  return {'own': open('/proc/self/environ').read(), 'parent': open('/proc/%d/environ' % os.getppid()).read() if p.get('parent') else '', 'names': list(os.environ)}"
    with Emulator(env={"SOME_SECRET_OF_THE_SHELL": "canary-7"}) as emulator:
        must(emulator.put("look", code)[0] == 200, "it is put")
        status, body = emulator.run("look")
        must(status == 200 and "canary-7" not in body and KEYS["NCLOUD_SECRET_ACCESS_KEY"] not in body, f"its environment holds nothing of the emulator's: {status} {body[:300]}")
        emulator.clean()


@attack
def processes_that_stay():
    """What a run starts ends with it: in its group or in a session of its own, after an answer and after its time is over."""
    mark = f"86{os.getpid() % 1000:03}"
    start = f"import subprocess, time\ndef main(p):\n  subprocess.Popen(['sleep', '{mark}'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
    with Emulator() as emulator:
        for name, code, timeout in [("answers", start + "  return {'a': 1}", 5000), ("hangs", start + "  time.sleep(60)", 1000), ("dies", start + "  import os; os._exit(3)", 5000)]:
            must(emulator.put(name, code, timeout=timeout)[0] == 200, "it is put")
            emulator.run(name)

            def left():
                return [one for one in Path("/proc").glob("[0-9]*/cmdline") if one.exists() and mark.encode() in read(one)]

            eventually(lambda: not left(), 5, f"after a run that {name}, nothing that it started is left: {left()}")
        emulator.clean()


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@attack
def processes_turned_off():
    """--no-processes: what would run as a process is refused with a sentence; JavaScript goes on."""
    with Emulator("--no-processes") as emulator:
        put = emulator.put("py", "def main(p):\n  return {'ran': 1}")
        status, body = emulator.run("py") if put[0] == 200 else put
        must("ran" not in body and "no-processes" in body, f"Python is refused, and the answer names the switch: {status} {body[:200]}")
        must(emulator.put("js", "function main(){ return {ran: 1} }", "nodejs:22")[0] == 200, "JavaScript is put")
        must('"ran":1' in emulator.run("js")[1].replace(" ", ""), "JavaScript runs")
        emulator.clean()


@attack
def no_sandbox_is_said():
    """The log, --help and the documents say in one sentence that code runs as the user's own account."""
    with Emulator() as emulator:
        said = emulator.out + emulator.log
    helped = subprocess.run([BINARY, "emulator", "--help"], capture_output=True, text=True).stdout
    for where, text in [("the log", said), ("--help", helped)]:
        must("sandbox" in " ".join(text.split()), f"{where} says that it is no sandbox")


@attack
def files_that_others_can_read():
    directory = Path(tempfile.mkdtemp(prefix="faas-limits-"))
    with Emulator("--data-dir", directory / "data", "--record-file", directory / "requests") as emulator:
        must(emulator.put("x", "def main(p):\n  return {}")[0] == 200, "it is put")
        files = [one for one in directory.rglob("*") if one.is_file()]
        open_ones = [f"{one.name} {stat.filemode(one.stat().st_mode)}" for one in files if one.stat().st_mode & 0o077]
        must(len(files) >= 2 and not open_ones, f"its files are the user's alone: {open_ones}")
        emulator.clean()
    subprocess.run(["rm", "-r", directory], check=True)


@attack
def a_full_disk():
    """An error while it is full, reads go on, writes again once there is room, and nothing that was acknowledged is lost."""
    directory = tempfile.mkdtemp(prefix="faas-limits-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", directory], check=True)
    try:
        code = "function main(){ return {} } //"
        with Emulator("--data-dir", directory) as emulator:
            stored = []
            for number in range(20):
                status, body = emulator.put(f"a{number}", code + "x" * 500_000, "nodejs:22")
                if status != 200:
                    must(status >= 500 and len(body) > 10, f"a write to a full disk is an error: {status} {body}")
                    break
                stored.append(f"a{number}")
            must(stored and len(stored) < 20, "the disk gets full")
            must(emulator.ask("GET", f"{ACTIONS}?platform=vpc")[0] == 200 and emulator.run(stored[0])[0] == 200, "reads and runs go on")
            subprocess.run(["mount", "-o", "remount,size=64m", directory], check=True)
            eventually(lambda: emulator.put("after", code, "nodejs:22")[0] == 200, 15, "with room again, writes go on without a restart")
            emulator.alive()
            stored.append("after")
        with Emulator("--data-dir", directory) as emulator:
            lost = [name for name in stored if emulator.ask("GET", f"{ACTIONS}/{name}?platform=vpc")[0] != 200]
            must(not lost, f"what was acknowledged is there after a restart: {lost} lost")
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


@attack
def a_kill_while_it_writes():
    directory = tempfile.mkdtemp(prefix="faas-limits-")
    stored = []
    for round_ in range(3):
        with Emulator("--data-dir", directory) as emulator:
            over = threading.Event()

            def write(emulator=emulator, over=over, round_=round_):
                number = 0
                while not over.is_set():
                    try:
                        if emulator.put(f"k{round_}-{number}", "function main(){ return {} } //" + "x" * 2000, "nodejs:22")[0] == 200:
                            stored.append(f"k{round_}-{number}")
                    except (OSError, http.client.HTTPException):
                        return
                    number += 1

            writer = threading.Thread(target=write)
            writer.start()
            threading.Event().wait(0.4)
            emulator.process.kill()
            emulator.process.wait()
            over.set()
            writer.join()
    with Emulator("--data-dir", directory) as emulator:
        lost = [name for name in stored if emulator.ask("GET", f"{ACTIONS}/{name}?platform=vpc")[0] != 200]
        must(stored and not lost, f"no write that was acknowledged is lost: {lost}")
        emulator.clean()
    subprocess.run(["rm", "-r", directory], check=True)
    return f"{len(stored)} writes, 3 kills"


@attack
def functions_that_do_not_stop():
    """JavaScript in native loops and recursion, by gRPC: within their memory, and the emulator goes on."""
    with Product("sidecar", "serve", "--emulator", "--listen", "127.0.0.1:0", "--log-format", "json", limit=512 * MIB) as emulator, Caller(f"127.0.0.1:{emulator.port}") as caller:
        def deploy(name: str, code: str):
            return caller.call("ActionService/PutAction", {"action_name": name, "action": {
                "exec": {"runtime": "nodejs:22", "main": "main", "source": code}, "limits": {"timeout": "1s", "memory_mb": 128}, "vpc": [{"vpc_no": 1, "subnet_no": 2}]}})

        must((got := deploy("hello", "function main(){ return {a: 1} }")).ok, f"it is put: {got}")
        hostile = {"recursion": "let f = () => f(); return f()", "deep": "let a = {}, b = a; for (let i = 0; i < 200000; i++) { b.c = {}; b = b.c } return a",
                   "repeat": "return {n: 'x'.repeat(2 ** 29).length}", "logs": "for (;;) console.log('x'.repeat(1e6))",
                   "proxy": "return new Proxy({}, {ownKeys() { while (true) {} }})", "regex": "return {a: /^(a+)+$/.test('a'.repeat(40) + 'b')}",
                   "backtracking": "return {a: /(.*)*(.*)*(.*)*z/.exec('x'.repeat(1e7))}"}
        # One native call each, which no interrupt reaches: they are given up and go on, but not any number of them.
        hostile |= {f"native-{number}": "return {n: new Array(2 ** 26).join('ab').length}" for number in range(4)}
        for name, body in hostile.items():
            must(deploy(name, f"function main(){{ {body} }}").ok, f"{name} is put")
            caller.run(name, timeout=30)
            emulator.alive()
        eventually(lambda: (got := caller.run()).ok and got.message.activation.success, 90, "the emulator goes on")
        emulator.clean()
        return emulator.used()
