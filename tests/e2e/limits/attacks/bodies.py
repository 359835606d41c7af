"""Messages that are larger, or cost more, than what was sent: gzip, half a body, trees of numbers, large answers."""

import asyncio
import base64
import gzip
import json
import struct
import threading
import zlib

from calls import Bystander, Caller
from http2 import Connection, message
from rig import MIB, Sidecar, must
from upstream import ACTIVATION, Upstream, answer, ran

from . import attack

PUT = "/faas.v1.ActionService/PutAction"
INVOKE = "/faas.v1.InvocationService/Invoke"


def put_request(caller: Caller, size: int) -> bytes:
    """A PutAction whose archive is zeros: gzip makes a thousandth of it."""
    return caller.request("ActionService/PutAction", {
        "action_name": "hello",
        "action": {"exec": {"runtime": "nodejs:22", "main": "main", "archive": base64.b64encode(bytes(size)).decode()},
                   "limits": {"timeout": "10s", "memory_mb": 256}, "vpc": [{"vpc_no": 1, "subnet_no": 1}]},
    }).SerializeToString()


async def slowly(request):
    """Runs are answered at once; what is put is held for as long as the attack lasts."""
    if request.method == "PUT":
        await asyncio.sleep(8)
    return ran(request)


def packed_calls(make, calls: int, *, refused: bool):
    """Calls with a gzip message that `make` packs from one that unpacks to 7.9 MB. None of them reaches the cloud when they must be refused."""
    with Upstream(slowly) as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"127.0.0.1:{sidecar.port}") as bystander:
        body = message(make(put_request(bystander.caller, 7_900_000)), packed=True)
        connection = Connection(("127.0.0.1", sidecar.port))
        streams = []
        for _ in range(calls):
            streams.append(connection.open(PUT, [("grpc-encoding", "gzip"), ("grpc-timeout", "6S")], body))
            connection.read()
        ends = connection.finish(streams, 15)
        sidecar.alive()
        must(all(stream.status is not None for stream in ends), f"each call gets a status: {[stream.status for stream in ends]}")
        if refused:
            must(0 not in {stream.status for stream in ends} and "PUT" not in upstream.counts,
                 f"each call is refused, and nothing reaches the cloud: {upstream.counts}, statuses {sorted({stream.status for stream in ends})}")
        bystander.answered()
        sidecar.clean()
        connection.close()
        return f"{calls} × {len(body)} B unpack to {calls * 7.9:.0f} MB: {sidecar.used()}"


@attack
def gzip_with_bytes_behind_its_end():
    return packed_calls(lambda raw: gzip.compress(raw, 9) + b"\0\0\0\0", 20, refused=True)


@attack
def gzip_of_two_members():
    return packed_calls(lambda raw: gzip.compress(raw[:4_000_000], 9) + gzip.compress(raw[4_000_000:], 9), 20, refused=True)


@attack
def gzip_that_lies_about_its_size():
    return packed_calls(lambda raw: gzip.compress(raw, 9)[:-4] + struct.pack("<I", 100), 20, refused=True)


@attack
def gzip_cut_off():
    return packed_calls(lambda raw: gzip.compress(raw, 9)[:-12], 20, refused=True)


@attack
def gzip_with_an_endless_header():
    # A gzip header may hold a file name without bound (RFC 1952, FNAME).
    return packed_calls(lambda raw: b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * 8_000_000, 4, refused=True)


@attack
def zlib_in_place_of_gzip():
    return packed_calls(lambda raw: zlib.compress(raw, 9), 20, refused=True)


@attack
def gzip_that_is_honest():
    return packed_calls(lambda raw: gzip.compress(raw, 9), 100, refused=False)


@attack
def gzip_beyond_the_largest_message():
    with Upstream(slowly) as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"127.0.0.1:{sidecar.port}") as bystander:
        body = message(gzip.compress(bytes(200_000_000), 9), packed=True)
        connection = Connection(("127.0.0.1", sidecar.port))
        ends = connection.finish([connection.open(PUT, [("grpc-encoding", "gzip")], body) for _ in range(5)], 20)
        must(all(stream.status for stream in ends), f"each call is refused: {[stream.status for stream in ends]}")
        bystander.answered()
        sidecar.clean()
        connection.close()
        return f"5 × {len(body)} B unpack to 1,000 MB: {sidecar.used()}"


@attack
def compressed_flag_without_a_coding():
    """The flag says gzip, the metadata does not: the caller's mistake, which no repetition mends."""
    with Upstream() as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"127.0.0.1:{sidecar.port}") as bystander:
        connection = Connection(("127.0.0.1", sidecar.port))
        calls = [connection.open(INVOKE, extra, message(body, packed=True))
                 for extra in ([], [("grpc-encoding", "identity")], [("grpc-encoding", "gzip")]) for body in (b"\xff" * 40, gzip.compress(b"x" * 9000)[:-9] + b"\xff" * 9)]
        for stream in connection.finish(calls, 10):
            # A negative pushback asks not to repeat it.
            must(stream.status == 13 and stream.headers.get("grpc-retry-pushback-ms", "-1") == "-1", f"INTERNAL, and not to be repeated: {stream.headers}")
        bystander.answered()
        sidecar.clean()


def half_sent(connections: int, streams: int, sent: bytes, extra=()):
    """Calls whose message begins and never goes on."""
    with Upstream() as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        opened = []
        for _ in range(connections):
            connection = Connection(("127.0.0.1", sidecar.port))
            opened.append(connection)
            for number in range(streams):
                connection.open(INVOKE, extra, sent, end=False)
                if number % 50 == 0:
                    connection.read()
                    sidecar.alive()
        threading.Event().wait(0.5)
        bystander.answered()
        sidecar.clean()
        for connection in opened:
            connection.close()
        return f"{connections} × {streams} halves of {len(sent)} B: {sidecar.used()}"


@attack
def half_sent_small_messages():
    return half_sent(4, 1000, b"\0" + struct.pack(">I", 8192) + b"\x0a" * 8000)


@attack
def half_sent_large_messages():
    return half_sent(8, 200, b"\0" + struct.pack(">I", 7_000_000) + b"\x0a" * 16000)


@attack
def half_sent_gzip():
    return half_sent(4, 100, b"\1" + struct.pack(">I", 60_000) + gzip.compress(bytes(12_000_000), 9)[:10_000], [("grpc-encoding", "gzip")])


def large_answers(body, method: str, request: dict, calls: int = 6):
    """The cloud's honest answer is large: its callers are answered or refused, and the process goes on."""
    script = lambda asked: body(asked) if "large" in asked.target or "activations" in asked.target or "limit" in asked.target else ran(asked)  # noqa: E731
    with Upstream(script) as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"127.0.0.1:{sidecar.port}") as bystander:
        callers = [Caller(f"127.0.0.1:{sidecar.port}") for _ in range(calls)]
        answers = []
        threads = [threading.Thread(target=lambda caller=caller: answers.append(caller.call(method, request, timeout=30))) for caller in callers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sidecar.alive()
        odd = [str(one) for one in answers if one.code not in ("OK", "RESOURCE_EXHAUSTED")]
        must(not odd, f"each call is answered or refused for its size: {odd[:2]}")
        bystander.answered()
        sidecar.clean()
        for caller in callers:
            caller.close()
        return f"{sum(one.ok for one in answers)} of {calls} answered: {sidecar.used()}"


def result(document: bytes):
    return lambda request: ran(request, document)


@attack
def answers_that_are_trees_of_numbers():
    return large_answers(result(b"[" + b"1," * 3_000_000 + b"1]"), "InvocationService/Invoke", {"action_name": "large", "result_encoding": "JSON_ENCODING_VALUE"}, 2)


@attack
def answers_that_are_trees_of_empty_objects():
    return large_answers(result(b"[" + b"{}," * 2_000_000 + b"{}]"), "InvocationService/Invoke", {"action_name": "large", "result_encoding": "JSON_ENCODING_VALUE"}, 3)


@attack
def answers_of_many_keys():
    keys = b"{" + b",".join(b'"%x":0' % number for number in range(580_000)) + b"}"
    return large_answers(result(keys), "InvocationService/Invoke", {"target": "functiongraph", "action_name": "large", "result_encoding": "JSON_ENCODING_VALUE"}, 3)


@attack
def answers_as_text():
    return large_answers(result(b'"' + b"x" * 6_000_000 + b'"'), "InvocationService/Invoke", {"action_name": "large", "result_encoding": "JSON_ENCODING_TEXT"}, 12)


@attack
def answers_of_escapes():
    return large_answers(result(b'"' + rb"\u00e9" * 1_000_000 + b'"'), "InvocationService/Invoke", {"action_name": "large", "result_encoding": "JSON_ENCODING_VALUE"}, 6)


@attack
def answers_beyond_the_largest_message():
    return large_answers(result(b"[" + b"1," * 20_000_000 + b"1]"), "InvocationService/Invoke", {"action_name": "large", "result_encoding": "JSON_ENCODING_VALUE"}, 2)


@attack
def answers_of_many_log_lines():
    record = b'{"content":{"activationId":"%s","name":"large","logs":[%s"x"],"response":{"result":{},"status":"success","success":true}}}'
    return large_answers(lambda _: answer(200, record % (ACTIVATION.encode(), b'"x",' * 1_500_000)), "InvocationService/GetActivation",
                         {"action_name": "large", "activation_id": ACTIVATION}, 3)


@attack
def answers_of_many_empty_log_lines():
    """As functiongraph tells them: one text, each line of which is one character."""
    document = json.dumps({"body": "1", "log": "\n" * 3_000_000, "status": 200}).encode()
    return large_answers(lambda _: answer(200, document, {"x-cff-request-id": "0f" * 16, "x-cff-response-version": "v1"}), "InvocationService/Invoke",
                         {"target": "functiongraph", "action_name": "large", "include_logs": True}, 3)


@attack
def answers_with_a_large_archive():
    code = base64.b64encode(bytes(4_500_000)).decode()
    document = {"content": {"name": "large", "exec": {"kind": "nodejs:22", "binary": True, "code": code, "main": "main"}, "limits": {"timeout": 1000, "memory": 128}}}
    return large_answers(lambda _: answer(200, json.dumps(document).encode()), "ActionService/GetAction", {"action_name": "large", "include_code": True}, 6)


@attack
def answers_that_are_long_lists():
    item = {"name": "a", "package": "-", "exec": {"kind": "nodejs:22"}}
    document = json.dumps({"content": {"actions": [item] * 100_000, "totalCount": 100_000}}).encode()
    return large_answers(lambda _: answer(200, document), "ActionService/ListActions", {"package_name": "large", "page_size": 200}, 3)


@attack
def answers_that_are_long_errors():
    document = json.dumps({"error": {"errorCode": "80301", "message": "m" * 3_000_000, "details": "d" * 3_000_000}}).encode()
    with Upstream(lambda request: answer(404, document) if "large" in request.target else ran(request)) as upstream, Sidecar(upstream.port) as sidecar, \
            Bystander(f"127.0.0.1:{sidecar.port}") as bystander:
        for cloud in ("ncp", "functiongraph"):
            refused = bystander.caller.call("InvocationService/Invoke", {"target": cloud, "action_name": "large"})
            must(not refused.ok and len(refused.text) <= 4096, f"the words of the cloud are cut: {len(refused.text)} characters")
        bystander.answered()
        sidecar.clean()
        return sidecar.used()


def values(kind: bytes, count: int) -> bytes:
    """An InvokeRequest for functiongraph whose arguments are {"k": [kind, kind, …]} as a value, by hand: a library would need seconds for it."""
    def field(number: int, content: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(content)) + content

    def varint(number: int) -> bytes:
        out = bytearray()
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        return bytes([*out, number])

    items = field(1, kind) * count
    entry = field(1, b"k") + field(2, field(6, items))
    arguments = field(1, field(5, field(1, entry)))
    return field(1, b"functiongraph") + field(4, b"hello") + field(6, arguments)


@attack
def arguments_that_grow_on_their_way():
    """Small values as protobuf, several times as large as JSON: false, control characters."""
    controls = b"\x1a\x04" + b"\x01" * 4
    kinds = {"false": values(b"\x20\x00", 1_900_000), "controls": values(controls, 900_000), "numbers": values(b"\x11\xff\xff\xff\xff\xff\xff\xef\x7f", 600_000)}
    with Upstream(slowly) as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        for body in kinds.values():
            connections = [Connection(("127.0.0.1", sidecar.port)) for _ in range(3)]
            streams = [connection.open(INVOKE, [("grpc-timeout", "10S")], message(body)) for connection in connections]
            for connection, stream in zip(connections, streams):
                must(connection.finish([stream], 15)[0].over, "each call is answered or refused")
                sidecar.alive()
                connection.close()
        bystander.answered()
        sidecar.clean()
        return f"3 calls each of {', '.join(f'{name} {len(body) / MIB:.1f} MiB' for name, body in kinds.items())}: {sidecar.used()}"


@attack
def arguments_that_come_again_and_again():
    """One object of a million pieces, each of which is merged into those before."""
    piece = b"\x2a\x07\x0a\x05\x0a\x01k\x12\x00"
    value = piece * 600_000
    size = bytes([len(value) & 127 | 128, len(value) >> 7 & 127 | 128, len(value) >> 14 & 127 | 128, len(value) >> 21])
    arguments = b"\x0a" + size + value
    size = bytes([len(arguments) & 127 | 128, len(arguments) >> 7 & 127 | 128, len(arguments) >> 14 & 127 | 128, len(arguments) >> 21])
    with Upstream() as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        connection = Connection(("127.0.0.1", sidecar.port))
        end = connection.finish([connection.open(INVOKE, (), message(b"\x22\x05hello\x32" + size + arguments))], 15)[0]
        must(end.over, "the call is answered or refused")
        bystander.answered()
        must(bystander.slowest < 2, f"other callers wait for less than 2 s: {bystander.slowest:.1f} s")
        sidecar.clean()
        connection.close()
        return f"{len(arguments) / MIB:.1f} MiB, others waited at most {bystander.slowest:.2f} s: {sidecar.used()}"


@attack
def arguments_that_are_deep():
    """Trees that are all depth, in both arms: a sentence, no crash."""
    nested = b"\x2a\x00"
    for _ in range(2000):
        length = len(nested)
        size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7]) if length < 1 << 14 else bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])
        nested = b"\x32" + size + nested
        length = len(nested)
        size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7]) if length < 1 << 14 else bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])
        nested = b"\x0a" + size + nested
    with Upstream() as upstream, Sidecar(upstream.port) as sidecar, Bystander(f"127.0.0.1:{sidecar.port}") as bystander:
        for text in ("[" * 200_000, '{"a":' * 100_000):
            refused = bystander.caller.call("InvocationService/Invoke", {"action_name": "hello", "arguments": {"text": text}})
            must(refused.code == "INVALID_ARGUMENT", f"text that is all depth is refused: {refused}")
        connection = Connection(("127.0.0.1", sidecar.port))
        end = connection.finish([connection.open(INVOKE, (), message(values(nested, 1)))], 10)[0]
        must(end.status, f"a value that is all depth is refused: {end.headers}")
        bystander.answered()
        sidecar.clean()


@attack
def memory_comes_back():
    """A flood of large calls goes, and with it what it took: the next peak starts from where the process idles."""
    with Upstream(slowly) as upstream, Sidecar(upstream.port) as sidecar, Caller(f"127.0.0.1:{sidecar.port}") as caller:
        must(caller.run().ok, "a caller is answered")
        idle = sidecar.group.anonymous()
        raw = put_request(caller, 1_900_000)
        body = message(raw)
        for _ in range(2):
            connections = [Connection(("127.0.0.1", sidecar.port)) for _ in range(8)]
            for connection in connections:
                connection.open(PUT, [("grpc-timeout", "2S")], body)
                for _ in range(200):
                    connection.open(INVOKE, [("x-padding", "A" * 7000)], None, end=False)
            threading.Event().wait(2.5)
            sidecar.alive()
            for connection in connections:
                connection.close()
        most = sidecar.group.most
        must(most - idle > 8 * MIB, f"the flood takes memory: {most - idle}")
        for _ in range(100):
            threading.Event().wait(0.1)
            left = sidecar.group.anonymous() - idle
            if left <= 6 * MIB:
                break
        must(left <= 6 * MIB, f"10 s after the callers went, at most 6 MiB more than before is held: {left / MIB:.1f} MiB of {(most - idle) / MIB:.1f} are left")
        sidecar.clean()
        return sidecar.used()
