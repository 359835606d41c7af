"""The one bound of SECURITY.md, measured: what the process holds for its callers is at most a constant for each connection, a constant for each open stream,
and ten times the bytes that came, those of packed headers and packed messages counted unpacked.

Every method, each encoding (identity, gzip) and each protocol (TCP, TLS, Unix socket), each in a process of its own: calls are opened and held in every way
that a caller can hold one. The constants are read from SECURITY.md; what was measured is printed beside them.
"""

import asyncio
import gzip
import re
import ssl
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import message_factory

from calls import Caller
from http2 import Connection, message
from rig import MIB, REPOSITORY, Broken, Sidecar, certificate, must
from upstream import Upstream, answer, ran

KIB = 1 << 10
STREAMS, CONNECTIONS = 80, 60
# Bytes of an answer of the cloud.
ANSWER = 60_000
FACTOR = 10
# Not of faas.v1, but as open to callers; and a path that means nothing.
OTHERS = {"/grpc.health.v1.Health/Check": b"", "/grpc.health.v1.Health/Watch": b"", "/grpc.health.v1.Health/List": b"",
          "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": b"\x22\x0efaas.v1.Action",
          "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": b"\x22\x0efaas.v1.Action", "/no.such.Service/Method": b""}
METADATA = [("x-first", "A" * 7000), ("x-second", "A" * 7000)]
# A field that no message has (2047), so that any message can be of any size.
PADDING = b"\xfa\x7f"


@dataclass
class Measured:
    """What one way of holding calls took, in bytes."""

    what: str
    held: int
    came: int
    streams: int
    connections: int = 1


def promised() -> dict[str, int]:
    """The constants in bytes, as SECURITY.md states them."""
    text = (REPOSITORY / "SECURITY.md").read_text()
    found = {name: int(size) * KIB for name, size in re.findall(r"\| each (connection|open stream) \| (\d+) KiB \|", text)}
    must(found.keys() == {"connection", "open stream"}, f"SECURITY.md states both constants: {found}")
    return found


def resident(sidecar: Sidecar) -> int:
    """Heap and stacks now, once they have stopped growing."""
    def read() -> int:
        status = Path(f"/proc/{sidecar.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) * KIB

    before, until = read(), time.monotonic() + 1
    while time.monotonic() < until:
        time.sleep(0.06)
        if (now := read()) <= before:
            return now
        before = now
    return before


def unpacked(headers: list[tuple[str, str]]) -> int:
    """A header list's size as HTTP/2 counts it (RFC 9113, 6.5.2)."""
    return sum(len(name) + len(value) + 32 for name, value in headers)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def padded(body: bytes, size: int) -> bytes:
    return body + PADDING + varint(size) + bytes(size)


def ways(path: str, body: bytes, packed: bool) -> list[tuple[str, list, bytes | None, bool, int]]:
    """How a call can be held: a name, metadata, what is sent of its message, whether the stream ends, and the bytes that came. The small ones come first."""
    coding = [("grpc-encoding", "gzip")] if packed else []

    def whole(raw: bytes) -> bytes:
        return message(gzip.compress(raw, 6), packed=True) if packed else message(raw)

    common = unpacked([(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"), ("content-type", "application/grpc"), ("te", "trailers"), *coding])
    large = padded(body, 60_000)
    half = whole(padded(body, 12_000))
    return [
        ("opened", coding, None, False, common),
        ("in flight", coding, whole(body), True, common + len(body) + 5),
        ("with much metadata", [*coding, *METADATA], None, False, common + unpacked(METADATA)),
        ("half sent", coding, half[:-4], False, common + len(half) + 12_000 * packed),
        ("large", coding, whole(large), True, common + len(large) + 5),
    ]


class Rig:
    """One process with an upstream that never answers, and how its callers reach it."""

    def __init__(self, protocol: str, upstream: Upstream, files: tuple[Path, Path, Path]):
        self.protocol = protocol
        env = {"FAAS_SIDECAR_TLS_CERT_FILE": str(files[0]), "FAAS_SIDECAR_TLS_KEY_FILE": str(files[1])} if protocol == "TLS" else None
        self.sidecar = Sidecar(upstream.port, env=env, access_log="off")
        self.context = None
        if protocol == "TLS":
            self.context = ssl.create_default_context(cafile=str(files[2]))
            self.context.set_alpn_protocols(["h2"])

    def connect(self) -> Connection:
        address = self.sidecar.socket if self.protocol == "Unix" else ("127.0.0.1", self.sidecar.port)
        return Connection(address, tls=self.context, window=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sidecar.process.kill()
        self.sidecar.close()


def calls(rig: Rig, path: str, body: bytes, packed: bool) -> list[Measured]:
    """All ways of holding calls of one method."""
    found = []
    for connection in [rig.connect()]:  # What is made once is there before anything is measured.
        connection.finish([connection.open(path, (), message(body))], 0.2)
        connection.close()
    idle = resident(rig.sidecar)
    for name, metadata, sent, ends, came in ways(path, body, packed):
        connection = rig.connect()
        for _ in range(STREAMS):
            connection.open(path, metadata, sent, end=ends)
        connection.read(0.05)
        held = resident(rig.sidecar) - idle
        rig.sidecar.alive()
        found.append(Measured(f"{path[1:]} {name}, {'gzip' if packed else 'identity'}, {rig.protocol}", held, came * STREAMS, STREAMS))
        connection.close()
        time.sleep(0.05)
    return found


def answers(rig: Rig, arm: int, packed: bool) -> list[Measured]:
    """Answers of the cloud that their caller does not read: results, logs and lists, whose size as JSON came."""
    found, coding = [], [("grpc-accept-encoding", "gzip")] if packed else []
    invoke = b"\x22\x05hello\x38" + bytes([arm])
    for path, request in [("InvocationService/Invoke", invoke), ("InvocationService/GetActivation", b"\x22\x05hello\x2a\x20" + b"0f" * 16 + b"\x30" + bytes([arm])),
                          ("ActionService/ListActions", b"")]:
        idle = resident(rig.sidecar)
        connection = rig.connect()
        for _ in range(STREAMS):
            connection.open(f"/faas.v1.{path}", coding, message(request))
        connection.read(0.5)
        held = resident(rig.sidecar) - idle
        rig.sidecar.alive()
        found.append(Measured(f"{path}, its answer unread, {'gzip' if packed else 'identity'}, {'value' if arm == 1 else 'text'}, {rig.protocol}", held, ANSWER * STREAMS, STREAMS))
        connection.close()
        time.sleep(0.1)
    return found


def answering(request) -> bytes:
    """A result of many small numbers, a record with many lines, a list of many items: about ANSWER bytes each."""
    if "/activations/" in request.target:
        lines = b",".join([b'"a line of the log"'] * (ANSWER // 20))
        return answer(200, b'{"content":{"activationId":"%s","name":"hello","logs":[%s],"response":{"result":{},"status":"success","success":true}}}' % (b"0f" * 16, lines))
    if request.method == "GET":
        return answer(200, b'{"content":{"actions":[%s]}}' % b",".join([b'{"name":"a","exec":{"kind":"nodejs:22"}}'] * (ANSWER // 41)))
    return ran(request, b"[" + b",".join([b"1"] * (ANSWER // 2)) + b"]")


def connections(rig: Rig) -> Measured:
    """Connections on which HTTP/2 has begun and nothing is called."""
    idle = resident(rig.sidecar)
    opened = [rig.connect() for _ in range(CONNECTIONS)]
    for connection in opened:
        connection.read(0.01)
    held = resident(rig.sidecar) - idle
    for connection in opened:
        connection.close()
    return Measured(f"connections, {rig.protocol}", held, 0, 0, CONNECTIONS)


def over(one: Measured, constants: dict[str, int]) -> int:
    """Bytes beyond the bound."""
    return one.held - one.connections * constants["connection"] - one.streams * constants["open stream"] - FACTOR * one.came


def methods(port: int) -> dict[str, bytes]:
    """Every path that is served, and a small request for it."""
    found = dict(OTHERS)
    with Caller(f"127.0.0.1:{port}") as caller:
        for name, method in caller.methods().items():
            request = message_factory.GetMessageClass(method.input_type)()
            for field, value in [("action_name", "hello"), ("package_name", "pack"), ("trigger_name", "hello"), ("alias_name", "prod"), ("activation_id", "0f" * 16)]:
                if field in method.input_type.fields_by_name:
                    setattr(request, field, value)
            found[f"/{method.containing_service.full_name}/{method.name}"] = request.SerializeToString()
    return found


async def never(_request):
    await asyncio.sleep(60)


def main() -> int:
    constants = promised()
    files = certificate(Path(tempfile.mkdtemp(prefix="faas-limits-")))
    with Upstream(ran) as upstream, Sidecar(upstream.port) as sidecar:
        paths = methods(sidecar.port)
    found, broken, lock = [], [], threading.Lock()
    with Upstream(never) as upstream, Upstream(answering) as honest:
        def one(protocol: str, path: str, packed: bool) -> None:
            try:
                with Rig(protocol, upstream, files) as rig:
                    measured = calls(rig, path, paths[path], packed)
                    if path == "/no.such.Service/Method" and not packed:
                        measured.append(connections(rig))
                if path == "/no.such.Service/Method":
                    for arm in (1, 2):
                        with Rig(protocol, honest, files) as rig:
                            measured += answers(rig, arm, packed)
                with lock:
                    found.extend(measured)
            except (Broken, OSError) as why:
                with lock:
                    broken.append(f"{path} {protocol}: {why}")

        with ThreadPoolExecutor(6) as pool:
            for protocol in ("TCP", "TLS", "Unix"):
                for path in paths:
                    for packed in (False, True):
                        pool.submit(one, protocol, path, packed)
    for protocol in ("TCP", "TLS", "Unix"):
        taken = [one.held / one.connections for one in found if one.what == f"connections, {protocol}"]
        print(f"a connection, {protocol}: {max(taken, default=0) / KIB:.1f} KiB, the bound is {constants['connection'] // KIB}")
    held = [(max(0, one.held - FACTOR * one.came - one.connections * constants["connection"]) / one.streams / KIB, one) for one in found if one.streams]
    held.sort(key=lambda pair: -pair[0])
    for cost, measured in held[:3]:
        print(f"an open stream: {cost:.1f} KiB beside ten times its bytes, the bound is {constants['open stream'] // KIB}: {measured.what}")
    ratio, measured = max(((one.held / one.came, one) for one in found if one.came > 30_000 * one.streams), key=lambda pair: pair[0])
    print(f"bytes that came: {ratio:.1f} times, the bound is {FACTOR}: {measured.what}")
    broken += [f"{one.what}: {over(one, constants) / MIB:.1f} MiB beyond the bound; {one.held / MIB:.1f} MiB are held for {one.came / MIB:.1f} MiB that came" for one in found
               if over(one, constants) > 0]
    for problem in broken[:20]:
        print(f"BROKEN {problem}")
    print(f"the bound: {len(found)} measurements of {len(paths)} methods, two encodings, three protocols; {len(broken)} beyond it")
    return min(1, len(broken))


if __name__ == "__main__":
    sys.exit(main())
