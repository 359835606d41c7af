"""Many connections: who holds them may not keep out the probe, callers that say who they are, or callers of other addresses."""

import socket
import ssl
import tempfile
import threading
import time
from pathlib import Path

import grpc

from calls import Bystander, Caller
from http2 import Connection, message
from rig import TOKEN, Sidecar, certificate, eventually, must
from upstream import Upstream

from . import attack

INVOKE = "/faas.v1.InvocationService/Invoke"
HELLO = message(b"\x22\x05hello")
# More than connections.max.
MANY = 1100


def silent(port: int, source: str | None = None) -> socket.socket:
    """A TCP connection on which nothing is ever said."""
    opened = socket.socket()
    if source:
        opened.bind((source, 0))
    opened.setblocking(False)
    try:
        opened.connect(("127.0.0.1", port))
    except BlockingIOError:
        pass
    return opened


def once(port: int, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None, token: bool = False) -> None:
    """One new caller, from an address of its choice."""
    connection = Connection(("127.0.0.1", port), source=source, tls=tls)
    extra = [("authorization", f"Bearer {TOKEN}")] if token else []
    end = connection.finish([connection.open(INVOKE, extra, HELLO)], 8)[0]
    connection.close()
    must(end.status == 0, f"a new caller from {source} is answered: {end.headers or 'nothing came within 8 s'}")


def crowd(port: int, kind: str) -> list:
    opened = []
    for _ in range(MANY):
        if kind == "silent":
            opened.append(silent(port))
            continue
        try:
            connection = Connection(("127.0.0.1", port))
        except OSError:
            break  # Refused: the bound is reached.
        opened.append(connection)
        if kind == "calling":
            connection.open(INVOKE, (), b"\0\0\0\x20\0", end=False)
    return opened


def crowded(kind: str, role: str):
    with Upstream() as upstream, Sidecar(upstream.port, role, connections={"handshake_timeout": "3s"}) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        token = role == "gateway"
        with Caller(f"127.0.0.1:{sidecar.port}", token=token) as settled:
            must(settled.run().ok, "a caller is answered before")
            before = sidecar.descriptors()
            opened = crowd(sidecar.port, kind)
            sidecar.probe()
            must((still := settled.run(timeout=8)).ok, f"a caller that was there before is answered: {still}")
            if role == "gateway":
                once(sidecar.port, token=True)
            once(sidecar.port, "127.0.0.2", token=token)
            sidecar.probe()
            bystander.answered()
            if role == "gateway" or kind == "silent":
                eventually(lambda: sidecar.descriptors() <= before + 20, 10, "who has not said who they are by their time is closed")
            sidecar.clean()
            for one in opened:
                one.close()
            return f"{len(opened)} connections: {sidecar.used()}"


@attack
def silent_connections():
    return crowded("silent", "sidecar")


@attack
def silent_connections_to_a_gateway():
    return crowded("silent", "gateway")


@attack
def idle_connections():
    return crowded("idle", "sidecar")


@attack
def idle_connections_without_a_token():
    return crowded("idle", "gateway")


@attack
def connections_with_half_a_call():
    return crowded("calling", "sidecar")


@attack
def connections_with_half_a_call_without_a_token():
    return crowded("calling", "gateway")


@attack
def silent_connections_before_client_certificates():
    """Renewed before their time is over, as an attacker would."""
    directory = Path(tempfile.mkdtemp(prefix="faas-limits-"))
    chain, key, authority = certificate(directory)
    env = {"FAAS_SIDECAR_TLS_CERT_FILE": str(chain), "FAAS_SIDECAR_TLS_KEY_FILE": str(key), "FAAS_SIDECAR_TLS_CLIENT_CA_FILE": str(authority)}
    credentials = grpc.ssl_channel_credentials(authority.read_bytes(), key.read_bytes(), chain.read_bytes())
    with Upstream() as upstream, Sidecar(upstream.port, "gateway", env=env, connections={"handshake_timeout": "3s"}) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(chain, key)
        context.set_alpn_protocols(["h2"])
        until, opened, answered = time.monotonic() + 7, [], 0
        while time.monotonic() < until:
            for one in opened:
                one.close()
            opened = [silent(sidecar.port) for _ in range(MANY)]
            sidecar.probe()
            once(sidecar.port, "127.0.0.2", tls=context)
            answered += 1
            threading.Event().wait(0.5)
        with Caller(f"localhost:{sidecar.port}", credentials=credentials) as caller:
            must((answer := caller.run(timeout=8)).ok, f"a caller with a certificate is answered: {answer}")
        bystander.answered()
        sidecar.clean()
        for one in opened:
            one.close()
        return f"{answered} rounds: {sidecar.used()}"


@attack
def calls_that_wait_for_a_place():
    """Connections beyond connections.max are heard; what their calls hold while they wait is counted all the same."""
    with Upstream() as upstream, Sidecar(upstream.port, connections={"max": 20}) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        opened = [Connection(("127.0.0.1", sidecar.port)) for _ in range(36)]
        for connection in opened[20:]:
            for number in range(300):
                connection.open(INVOKE, [("x-0", "A" * 7000), ("x-1", "A" * 7000)], None, end=False)
                if number % 50 == 0:
                    connection.read()
                    sidecar.alive()
        sidecar.probe()
        bystander.answered()
        sidecar.clean()
        for connection in opened:
            connection.close()
        return f"16 × 300 streams: {sidecar.used()}"


@attack
def quiet_clients_and_a_probe():
    """As many healthy, quiet clients as there are places: the probe at the same TCP address is answered all the same."""
    with Upstream() as upstream, Sidecar(upstream.port, connections={"max": 10}) as sidecar:
        callers = [Caller(f"127.0.0.1:{sidecar.port}") for _ in range(10)]
        for caller in callers:
            must((answer := caller.run(timeout=8)).ok, f"each is answered: {answer}")
        for _ in range(3):
            sidecar.probe(f"127.0.0.1:{sidecar.port}")
        sidecar.probe()
        for caller in callers:
            must((answer := caller.run(timeout=8)).ok, f"each is answered again: {answer}")
            caller.close()
        sidecar.clean()


@attack
def greetings_that_are_not_http2():
    """HTTP/1.1, TLS, garbage and half a preface: closed, bounded in the log, and nobody is harmed."""
    greetings = [b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), bytes(range(256)) * 8, b"PRI * HTTP/2.0\r\n"]
    with Upstream() as upstream, Sidecar(upstream.port, connections={"handshake_timeout": "2s"}) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        opened = []
        for number in range(800):
            try:
                one = socket.create_connection(("127.0.0.1", sidecar.port), timeout=5)
                one.sendall(greetings[number % len(greetings)])
                opened.append(one)
            except OSError:
                pass
        threading.Event().wait(4)
        bystander.answered()
        sidecar.probe()
        sidecar.clean()
        for one in opened:
            one.close()
        must(len(sidecar.log) < 200_000, f"the log is bounded: {len(sidecar.log)} bytes for 800 greetings")
        return f"{len(sidecar.log) // 1024} KiB of log: {sidecar.used()}"
