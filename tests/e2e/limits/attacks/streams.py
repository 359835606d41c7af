"""Many streams: calls that begin and do not end, answers that nobody reads, watches, and floods of cheap frames."""

import asyncio
import struct
import threading
import time

from calls import Bystander
from http2 import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Connection, block, frame, head, literal,
                   message)
from rig import MIB, Sidecar, eventually, must
from upstream import ACTIVATION, Upstream, answer, ran

from . import attack

INVOKE = "/faas.v1.InvocationService/Invoke"
REFLECT = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
HELLO = message(b"\x22\x05hello")
KIB14 = [("x-0", "A" * 7000), ("x-1", "A" * 7000)]


def open_streams(connections: int, streams: int, path: str, extra=(), body: bytes | None = None, *, role: str = "sidecar", script=ran, window: int | None = None,
                 end: bool = False, headers: bytes | None = None):
    """Calls on a few connections, none of which comes to its end. Other callers, by the probe's socket, go on."""
    with Upstream(script) as upstream, Sidecar(upstream.port, role) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        opened = []
        for _ in range(connections):
            connection = Connection(("127.0.0.1", sidecar.port), **({} if window is None else {"window": window}))
            opened.append(connection)
            for number in range(streams):
                connection.open(path, extra, body, end=end, headers=headers)
                if number % 50 == 0:
                    connection.read()
                    sidecar.alive()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            for connection in opened:
                connection.read(0.02)
        sidecar.alive()
        sidecar.probe()
        bystander.answered()
        sidecar.clean()
        seen = f"{connections} × {streams} streams, {sum(one.sent for one in opened) / MIB:.1f} MiB sent: {sidecar.used()}"
        for connection in opened:
            connection.close()
        return seen


@attack
def metadata_of_open_calls():
    return open_streams(4, 1000, INVOKE, KIB14)


@attack
def metadata_of_open_calls_without_a_token():
    return open_streams(16, 1000, INVOKE, KIB14, role="gateway")


@attack
def metadata_of_open_calls_of_no_method():
    return open_streams(4, 1000, "/no.such.Service/Method", KIB14)


@attack
def metadata_of_many_small_headers():
    """Each header costs more in memory than on the wire."""
    return open_streams(4, 1000, INVOKE, [(f"x-{number}", "") for number in range(400)])


@attack
def metadata_that_is_packed():
    """HPACK's table: 4 KB sent once, then one byte for each repetition."""
    with Upstream() as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        opened = []
        for _ in range(4):
            connection = Connection(("127.0.0.1", sidecar.port))
            opened.append(connection)
            # Indexed from here on (RFC 7541, 6.2.1); the table's newest entry has the index 62.
            connection.open(INVOKE, end=False, headers=head(INVOKE) + b"\x40" + literal("x-large") + literal("A" * 3900))
            for number in range(1000):
                connection.open(INVOKE, end=False, headers=head(INVOKE) + b"\xbe" * 3)
                if number % 50 == 0:
                    connection.read()
                    sidecar.alive()
        threading.Event().wait(0.5)
        bystander.answered()
        sidecar.clean()
        seen = f"{sum(one.sent for one in opened) / MIB:.2f} MiB sent: {sidecar.used()}"
        for connection in opened:
            connection.close()
        return seen


@attack
def trailers_of_calls_in_flight():
    """A request's own trailers are kept as long as the call."""
    async def slow(request):
        if "POST" in request.method and request.body == b'{"slow":1}':
            await asyncio.sleep(5)
        return ran(request)

    slow_call = message(b"\x22\x05hello" + b"\x32\x0c" + b"\x12\x0a" + b'{"slow":1}')
    with Upstream(slow) as upstream, Sidecar(upstream.port, target={"limits": {"max_in_flight": 5000}}) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        opened = []
        for _ in range(4):
            connection = Connection(("127.0.0.1", sidecar.port))
            opened.append(connection)
            for number in range(600):
                stream = connection.open(INVOKE, (), slow_call, end=False)
                connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, block(KIB14)))
                if number % 50 == 0:
                    connection.read()
                    sidecar.alive()
        threading.Event().wait(0.5)
        bystander.answered()
        sidecar.clean()
        for connection in opened:
            connection.close()
        return sidecar.used()


@attack
def answers_of_reflection_that_nobody_reads():
    return open_streams(2, 1000, REFLECT, (), message(b"\x22\x0efaas.v1.Action"), window=0, end=True)


@attack
def reflection_asked_again_and_again():
    """One stream with many questions; its answers may not pile up while nobody reads."""
    asked = message(b"\x22\x0efaas.v1.Action") * 600
    return open_streams(50, 4, REFLECT, (), asked, window=0)


@attack
def health_watched_by_thousands():
    return open_streams(4, 1000, "/grpc.health.v1.Health/Watch", (), message(b""), end=True)


@attack
def activations_watched_by_thousands():
    def script(request):
        if request.method == "GET":
            return answer(200, b'{"content":{"activationId":"%s"}}' % ACTIVATION.encode())
        return ran(request)

    return open_streams(4, 1000, "/faas.v1.InvocationService/WatchActivation", (), message(b"\x22\x01x\x2a\x20" + ACTIVATION.encode()), script=script, end=True)


@attack
def answers_that_nobody_reads():
    """A call's deadline ends the sending of its answer too, and frees what it held."""
    document = b'"' + b"x" * 900_000 + b'"'
    with Upstream(lambda request: ran(request, document)) as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        opened = []
        for _ in range(6):
            connection = Connection(("127.0.0.1", sidecar.port), window=0)
            opened.append(connection)
            for _ in range(20):
                connection.open(INVOKE, [("grpc-timeout", "2S")], HELLO)
        threading.Event().wait(5)
        for connection in opened:
            connection.read(0.2)
            left = [number for number, stream in connection.streams.items() if not stream.over]
            must(not left, f"3 s after their deadline all calls are over; {len(left)} of {len(connection.streams)} are not")
        bystander.answered()
        sidecar.clean()
        for connection in opened:
            connection.close()
        return sidecar.used()


@attack
def answers_of_one_id_that_nobody_reads():
    """Repetitions join a call, and each of them has an answer of its own."""
    document = b'"' + b"x" * 3_000_000 + b'"'
    with Upstream(lambda request: ran(request, document if "large" in request.target else b"1")) as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        opened = []
        for _ in range(4):
            connection = Connection(("127.0.0.1", sidecar.port), window=0)
            opened.append(connection)
            for _ in range(50):
                connection.open(INVOKE, [("grpc-timeout", "4S")], message(b"\x22\x05large\x52\x03one"))
        for _ in range(20):
            threading.Event().wait(0.2)
            sidecar.alive()
        bystander.answered()
        sidecar.clean()
        for connection in opened:
            connection.close()
        return sidecar.used()


@attack
def calls_with_ids_that_are_given_up():
    """A call with an id goes on when its caller has gone, and so does what it holds."""
    async def slow(request):
        if "slow" in request.target:
            await asyncio.sleep(5)
        return ran(request)

    arguments = b'{"pad":"' + b"x" * 900_000 + b'"}'
    with Upstream(slow) as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        def varint(number: int) -> bytes:
            return bytes([number & 127 | 128, number >> 7 & 127 | 128, number >> 14])

        text = b"\x12" + varint(len(arguments)) + arguments
        for number in range(120):
            connection = Connection(("127.0.0.1", sidecar.port))
            stream = connection.open(INVOKE, [("grpc-timeout", "8S")], message(b"\x22\x04slow\x52\x03%03d\x32" % number + varint(len(text)) + text))
            connection.read(0.03)
            connection.reset(stream)
            connection.close()
            sidecar.alive()
        bystander.answered()
        sidecar.clean()
        return f"{upstream.counts}: {sidecar.used()}"


@attack
def cancels_that_are_honest():
    """A client that gives up 200 calls at once keeps its connection: its other calls go on."""
    async def slow(request):
        await asyncio.sleep(1.5)
        return ran(request)

    with Upstream(slow) as upstream, Sidecar(upstream.port) as sidecar:
        connection = Connection(("127.0.0.1", sidecar.port))
        kept = [connection.open(INVOKE, (), HELLO) for _ in range(10)]
        connection.read(0.2)
        burst = b""
        for _ in range(200):
            number, connection.next = connection.next, connection.next + 2
            burst += frame(HEADERS, END_HEADERS, number, head(INVOKE)) + frame(DATA, END_STREAM, number, HELLO) + frame(RST_STREAM, 0, number, struct.pack(">I", 8))
        connection.send(burst)
        ends = connection.finish(kept, 20)
        must(all(stream.status == 0 for stream in ends), f"calls beside cancelled ones are answered: {[stream.status for stream in ends]}, GOAWAY {connection.goaway}")
        sidecar.clean()
        connection.close()


def flood(sidecar: Sidecar, step, seconds: float = 0.7) -> str:
    """Frames as fast as they go on one connection, until it is ended for them."""
    connection = Connection(("127.0.0.1", sidecar.port))
    before, until, sent = sidecar.group.anonymous(), time.monotonic() + seconds, 0
    while time.monotonic() < until and not connection.closed:
        connection.send(step(connection, sent))
        sent += 1
        if sent % 16 == 0:
            connection.read()
    sidecar.alive()
    more = (sidecar.group.anonymous() - before) / MIB
    connection.close()
    must(more < 16, f"a flood of frames takes less than 16 MiB: {more:.1f}")
    return f"{more:.1f}"


def begun(connection: Connection, *frames) -> bytes:
    number, connection.next = connection.next, connection.next + 2
    return frame(HEADERS, END_HEADERS, number, head(INVOKE)) + b"".join(frame(kind, flags, number, payload) for kind, flags, payload in frames)


@attack
def floods_of_frames():
    """Resets, resets that the other side is made to send, pings, settings, priorities, continuations, empty and tiny DATA."""
    def once(first: bytes, then: bytes):
        return lambda _, sent: then if sent else first

    open_head = frame(HEADERS, 0, 1, head(INVOKE))
    open_call = frame(HEADERS, END_HEADERS, 1, head(INVOKE)) + frame(DATA, 0, 1, b"\0\0\0\x40\0")
    floods = {
        "resets": lambda connection, _: begun(connection, (DATA, END_STREAM, HELLO), (RST_STREAM, 0, struct.pack(">I", 8))) * 1,
        "resets by a window of 0": lambda connection, _: begun(connection, (DATA, END_STREAM, HELLO), (WINDOW_UPDATE, 0, bytes(4))),
        "resets by data after the end": lambda connection, _: begun(connection, (DATA, END_STREAM, HELLO), (DATA, END_STREAM, b"x")),
        "pings": lambda *_: frame(PING, 0, 0, b"12345678") * 50,
        "answers to pings": lambda *_: frame(PING, ACK, 0, b"12345678") * 50,
        "settings": lambda *_: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 20)) * 50,
        "table sizes": lambda *_: frame(SETTINGS, 0, 0, struct.pack(">HI", 1, (1 << 32) - 1)) * 50,
        "priorities": lambda _, sent: frame(PRIORITY, 0, 2 * sent + 1, b"\0\0\0\0\x10") * 20,
        "unknown frames": lambda *_: frame(0xEE, 0, 0, bytes(16000)),
        "windows": lambda *_: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 50,
        "continuations": once(open_head, frame(CONTINUATION, 0, 1, block([("x-a", "A" * 4000)]))),
        "empty continuations": once(open_head, frame(CONTINUATION, 0, 1) * 50),
        "empty data": once(open_call, frame(DATA, 0, 1) * 50),
        "tiny data": once(open_call, frame(DATA, 0, 1, b"\x0a") * 100),
        "padding": once(open_call, frame(DATA, 8, 1, b"\xff" + bytes(255)) * 20),
    }
    with Upstream() as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        took = {name: flood(sidecar, step) for name, step in floods.items()}
        bystander.answered()
        must(bystander.slowest < 5, f"other callers wait for less than 5 s: {bystander.slowest:.1f} s")
        sidecar.clean()
        return f"most: {max(took.values(), key=float)} MiB, others waited at most {bystander.slowest:.2f} s"


@attack
def answers_kept_for_many_ids():
    """20,000 request ids and names of actions, all different: kept answers, ids and the numbers of each action stay within their bounds."""
    with Upstream(lambda request: ran(request, b'"' + b"x" * 2000 + b'"')) as upstream, Sidecar(upstream.port, access_log="off") as sidecar:
        connection = Connection(("127.0.0.1", sidecar.port))
        until, number = time.monotonic() + 8, 0
        while time.monotonic() < until and number < 20_000:
            batch = []
            for _ in range(50):
                name = f"id-{number:08}".encode()
                batch.append(connection.open(INVOKE, (), message(b"\x22" + bytes([len(name)]) + name + b"\x52" + bytes([len(name)]) + name)))
                number += 1
            connection.finish(batch, 20)
            for one in batch:
                del connection.streams[one]
        sidecar.clean()
        connection.close()
        eventually(lambda: sidecar.group.anonymous() < 40 * MIB, 5, "kept answers stay within 16 MiB and their ids")
        return f"{number} ids: {sidecar.used()}"
