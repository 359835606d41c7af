"""The pages for operators: many clients, clients that do not read, web pages of others, other machines."""

import http.client
import json
import socket
import subprocess
import threading

from calls import Bystander
from rig import BINARY, KEYS, VALUES, Sidecar, eventually, free_port, must, targets
from upstream import Upstream

from . import attack


def ask(port: int, method: str, path: str, headers: dict | None = None, host: str = "127.0.0.1") -> tuple[int, str]:
    """The status and the body of one request; 0 when the connection is closed without an answer."""
    client = http.client.HTTPConnection(host, port, timeout=10)
    try:
        client.request(method, path, headers=headers or {})
        answer = client.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except OSError:
        return 0, ""
    finally:
        client.close()


def held_back(opened, port: int, upstream: Upstream, sidecar: Sidecar, bystander: Bystander, before: int):
    """What must hold while clients of the pages hold connections, and that these are cut in the end."""
    threading.Event().wait(0.5)
    sidecar.alive()
    must(sidecar.descriptors() - before < 200, f"connections to the pages are bounded: {sidecar.descriptors() - before} descriptors more than before")
    bystander.answered()
    sidecar.probe()
    eventually(lambda: ask(port, "GET", "/livez") == (200, "ok\n"), 20, "the pages are there again, since no exchange takes longer than its time")
    eventually(lambda: sidecar.descriptors() - before < 60, 20, "clients that do not come to an end are cut")
    sidecar.clean()
    for one in opened:
        one.close()
    return f"{len(opened)} clients: {sidecar.used()}"


def clients(count: int, say: bytes, receive_buffer: int | None = None, key: str = "admin"):
    port = free_port()
    pages = {"admin": f"127.0.0.1:{port}"} if key == "admin" else {"metrics": {"listen": f"127.0.0.1:{port}"}}
    with Upstream() as upstream, Sidecar(upstream.port, **pages) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        before, opened, refused = sidecar.descriptors(), [], 0
        for number in range(count):
            one = socket.socket()
            if receive_buffer:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            one.settimeout(2 if number % 50 == 0 else 0.05)
            opened.append(one)
            try:
                one.connect(("127.0.0.1", port))
                one.sendall(say)
                refused = 0
            except OSError:
                refused += 1
            if refused == 40 and not receive_buffer:
                break  # No more are let in.
            if number % 200 == 0:
                sidecar.alive()
        return held_back(opened, port, upstream, sidecar, bystander, before)


@attack
def admin_clients_that_stay():
    return clients(6000, b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")


@attack
def admin_clients_that_do_not_read():
    return clients(60, b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 3000, 2048)


@attack
def admin_clients_that_begin_a_request():
    return clients(1500, b"GET /metr")


@attack
def admin_clients_that_begin_a_body():
    return clients(1500, b"PUT /loglevel?level=info HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000000\r\n\r\nx")


@attack
def admin_pages_asked_by_web_pages_of_others():
    """A page that got its name to mean 127.0.0.1 sends its own Host; one that did not, its own Origin."""
    port = free_port()
    with Upstream() as upstream, Sidecar(upstream.port, admin=f"127.0.0.1:{port}", admin_quit=True) as sidecar:
        pages = [("GET", "/config"), ("GET", "/credentials"), ("GET", "/metrics"), ("PUT", "/loglevel?level=error"), ("POST", "/quitquitquit")]
        foreign = [{"Host": "evil.example"}, {"Host": f"evil.example:{port}"}, {"Origin": "http://evil.example"}, {"Host": f"127.0.0.1:{port}", "Origin": "null"},
                   {"Host": "127.0.0.1.evil.example"}, {"Host": "localhost.evil.example:80"}, {"Host": f"127.0.0.1:{port}", "Origin": f"http://127.0.0.1.evil.example:{port}"}]
        for method, path in pages:
            for headers in foreign:
                if path == "/metrics" and "Host" in headers and "Origin" not in headers:
                    continue  # Prometheus may know it by a name.
                status, _ = ask(port, method, path, headers)
                must(status in (400, 403, 421), f"{method} {path} with {headers} is refused; the status is {status}")
        for headers in ({}, {"Host": f"localhost:{port}"}, {"Host": f"127.0.0.1:{port}"}, {"Host": f"[::1]:{port}"}):
            status, _ = ask(port, "GET", "/config", headers)
            must(status == 200, f"GET /config with {headers} is answered; the status is {status}")
        sidecar.clean()


def own_address() -> str:
    """An address of this machine besides loopback."""
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    must(found, "this machine has an address besides loopback, to try it with")
    return found[0]


def checked(upstream: Upstream, **more) -> subprocess.CompletedProcess:
    """`check` of a configuration."""
    config = {**VALUES["config"], "listen": "127.0.0.1:0", "default_target": "ncp", "targets": targets(upstream.port), **more}
    return subprocess.run([BINARY, "check", "--config", "/dev/stdin"], input=json.dumps(config), capture_output=True, text=True, env=KEYS)


@attack
def admin_pages_asked_by_other_machines():
    """Those that change or show more than numbers are for this machine alone."""
    port = free_port()
    with Upstream() as upstream:
        done = checked(upstream, admin=f"0.0.0.0:{port}", admin_quit=True)
        must(done.returncode == 78 and "admin" in done.stdout + done.stderr, f"`check` refuses an admin address that is open to others; exit code {done.returncode}")


@attack
def metrics_asked_by_other_machines():
    """The listener that may be remote needs a word for it, says so in the log, and has numbers and probes alone; Prometheus may know it by any name."""
    port = free_port()
    with Upstream() as upstream:
        done = checked(upstream, metrics={"listen": f"0.0.0.0:{port}"})
        must(done.returncode == 78 and "metrics" in done.stdout + done.stderr, f"`check` refuses a remote address without the word for it; exit code {done.returncode}")
        with Sidecar(upstream.port, metrics={"listen": f"0.0.0.0:{port}", "allow_remote_clients": True}, admin_quit=True) as sidecar:
            must("metrics" in "".join(line for line in sidecar.log.splitlines() if '"WARN"' in line), f"the log warns of it:\n{sidecar.log}")
            for path in ("/metrics", "/livez", "/readyz"):
                must((status := ask(port, "GET", path, {"Host": "pod.example:1"}, own_address())[0]) == 200, f"GET {path} from {own_address()} is answered: {status}")
            for method, path in [("GET", "/config"), ("GET", "/credentials"), ("PUT", "/loglevel?level=error"), ("POST", "/quitquitquit"), ("POST", "/metrics")]:
                must((status := ask(port, method, path, host=own_address())[0]) in (0, 403, 404, 405), f"{method} {path} from {own_address()} is refused: {status}")
            sidecar.clean()


@attack
def metrics_clients_that_stay():
    return clients(6000, b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", key="metrics")


@attack
def metrics_clients_that_do_not_read():
    return clients(60, b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 3000, 2048, key="metrics")
