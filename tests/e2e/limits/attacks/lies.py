"""A cloud, or a hop before it, that lies: what it says may not steer what is signed, fill the log, or be handed out as something else."""

import asyncio
import calendar
import gzip
import json
import re
import time
from urllib.parse import unquote

from calls import Bystander, Caller
from rig import MIB, Sidecar, eventually, must
from upstream import ACTIVATION, Upstream, answer, ran

from . import attack

IDS = ["../../../../../../vserver/v2/terminate?x=1#", "..", "a/b", "a?b=c", "a#b", "a%2fb", "%2e%2e", "a\nb", "\u202ea", "a b", "", "x" * 60_000, "0f" * 15 + "0F", "é" * 32, ACTIVATION + "/logs",
       7, None, ["a"], {"a": 1}]


@attack
def ids_that_are_paths():
    """The id that a run answers with is asked for later, in a signed URL."""
    for odd in IDS:
        with Upstream(lambda request, odd=odd: answer(200, json.dumps({"content": {"activationId": odd}}).encode()) if request.method == "POST" else ran(request)) as upstream, \
                Sidecar(upstream.port) as sidecar, Caller(f"127.0.0.1:{sidecar.port}") as caller:
            found = caller.call("InvocationService/Invoke", {"action_name": "hello", "wait": "2s"}, timeout=4)
            started = caller.call("InvocationService/InvokeAsync", {"action_name": "hello"}, timeout=4)
            asked = [request.target for request in upstream.requests if request.method == "GET"]
            # Letters, digits and `-` are an id, whoever said it, and stand for nothing else.
            known = {ACTIVATION, str(odd) if re.fullmatch(r"[A-Za-z0-9-]{1,128}", str(odd)) else ACTIVATION}
            must(not [target for target in asked if "/activations/" not in target or len(target) > 300 or target.split("/activations/")[1].split("?")[0] not in known],
                 f"the id {str(odd)[:50]!r} gets into no URL: {[target[:200] for target in asked]}")
            handed = started.message.activation.activation_id if started.ok else ""
            must(handed in {"", *known}, f"the id {str(odd)[:50]!r} is not handed out: {handed[:60]!r}")
            must(str(odd) in known or not found.ok or found.message.activation.status == 1 and not found.message.activation.success, f"a run with the id {str(odd)[:50]!r} is no success: {found.message}")
            sidecar.clean()


@attack
def records_of_other_actions():
    """A rule lets one action be observed; the cloud answers with the record of another, or under another id."""
    for name, activation in [("payroll", "ab" * 16), ("x", "cd" * 16)]:
        record = {"content": {"activationId": activation, "name": name, "namespace": "ns", "start": 1713936450099, "end": 1713936450102, "duration": 3, "logs": ["salary of Kim 1"],
                              "response": {"result": {"salary": 1}, "status": "success", "success": True}}}
        with Upstream(lambda _, record=record: answer(200, json.dumps(record).encode())) as upstream, \
                Sidecar(upstream.port, target={"allow": [{"actions": ["reports/*"], "operations": ["observe"]}]}) as sidecar, Caller(f"127.0.0.1:{sidecar.port}") as caller:
            got = caller.call("InvocationService/GetActivation", {"package_name": "reports", "action_name": "x", "activation_id": "ab" * 16})
            must(not got.ok, f"the record of {name} with the id {activation[:4]}… is not handed out: {got.message}")
            watched = caller.call("InvocationService/WatchActivation", {"package_name": "reports", "action_name": "x", "activation_id": "ab" * 16}, timeout=4)
            must(not watched.ok, f"nor to who watches: {watched.message}")
            sidecar.clean()


def first_of_january(year: int) -> str:
    """As HTTP writes it: with a wrong day of the week it would be no date."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(calendar.timegm((year, 1, 1, 0, 0, 0))))


@attack
def clocks_of_the_future():
    """A refusal names a date of its choice: no signature becomes valid long after it was asked for."""
    for year in (1990, 2031, 2038, 2150):
        seen, turn = [], iter(range(1000))

        def script(request, year=year, seen=seen, turn=turn):
            stamp = request.headers.get("x-ncp-apigw-timestamp")
            signed = int(stamp) / 1000 if stamp else time.mktime(time.strptime(request.headers.get("x-sdk-date", "19700101T000000Z"), "%Y%m%dT%H%M%SZ"))
            seen.append(signed)
            if next(turn) % 2 == 0:
                refused = {"error": {"errorCode": "200", "message": "Authentication Failed", "details": "x"}}
                return answer(401, json.dumps(refused).encode(), {"date": first_of_january(year)})
            return ran(request)

        with Upstream(script) as upstream, Sidecar(upstream.port) as sidecar, Caller(f"127.0.0.1:{sidecar.port}") as caller:
            for _ in range(3):
                caller.run("pay")
                caller.call("InvocationService/Invoke", {"target": "functiongraph", "action_name": "pay"})
            far = [time.strftime("%Y-%m-%d", time.gmtime(signed)) for signed in seen if abs(signed - time.time()) > 26 * 3600]
            must(seen and not far, f"a date of {year} is not signed: {far[:3]}")
            if year in (2031, 2038):
                eventually(lambda: '"WARN"' in sidecar.log, 5, f"a clock of {year}, which may be believed, is warned of")
            sidecar.clean()


@attack
def names_without_end():
    """Whatever is echoed is cut: trailers, messages and log lines stay small, and each call leaves its line."""
    def script(request):
        return ran(request, **{"x-ncp-apigw-request-id": "I" * 52_000, "x-request-id": "I" * 52_000})

    with Upstream(script) as upstream, Sidecar(upstream.port) as sidecar, Caller(f"127.0.0.1:{sidecar.port}") as caller:
        calls = [("InvocationService/Invoke", {"action_name": "hello"}), ("InvocationService/Invoke", {"target": "functiongraph", "action_name": "hello"})]
        for method, request in calls:
            got = caller.call(method, request)
            must(got.ok and len(got.message.activation.upstream_request_id) <= 256, f"a run whose request id has 52,000 characters is told: {got}")
        for size in (300, 100_000, 2_000_000):
            for member in ("action_name", "package_name", "target", "version", "request_id"):
                for end in ("x", "\u202e", "\x1b", "\n"):
                    before = sidecar.log.count("InvocationService/Invoke")
                    refused = caller.call("InvocationService/Invoke", {"action_name": "hello", member: end * size})
                    told = sum(len(key) + len(value) for key, value in refused.trailers.items()) + len(refused.text)
                    must(not refused.ok and refused.reason, f"{member} of {size}: refused with a reason: {refused}")
                    must(told < 8192, f"{member} of {size}: the refusal is small: {told} bytes")
                    eventually(lambda: sidecar.log.count("InvocationService/Invoke") > before, 3, f"{member} of {size}: the call leaves a line in the log")
        longest = max(map(len, sidecar.log.splitlines()))
        must(longest < 8192, f"log lines are bounded: {longest}")
        must("\u202e" not in sidecar.log and "\x1b" not in sidecar.log, "the log holds no character that turns or controls what is shown")
        sidecar.clean()


@attack
def baggage_of_callers():
    """What callers say of themselves leaves the pod only where the configuration lists it."""
    baggage = [("baggage", "user=kim,tenant=seven")]
    for tracing, wanted in [({}, None), ({"tracing": {"baggage": ["tenant"]}}, "tenant=seven")]:
        try:
            with Upstream() as upstream, Sidecar(upstream.port, **tracing) as sidecar, Caller(f"127.0.0.1:{sidecar.port}") as caller:
                must(caller.run(metadata=baggage).ok, "the call is answered")
                sent = [request.headers.get("baggage") for request in upstream.requests]
                must(sent == [wanted], f"with {tracing}, baggage that leaves: {sent}")
        except AssertionError as why:
            must(False, f"with {tracing}: {why}")


def http1(body: bytes, headers: str = "", *, length: int | None = None, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body) if length is None else length}\r\n{headers}\r\n".encode("latin1") + body


def wrap(document: bytes) -> bytes:
    return b'{"content":{"activationId":"%s","name":"x","response":{"result":%s,"status":"success","success":true}}}' % (ACTIVATION.encode(), document)


async def endless(request):
    request.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(3000):
        request.writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        await request.writer.drain()


async def interim(request):
    request.writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 100_000)
    await request.writer.drain()
    return http1(wrap(b"1"))


async def cut(request):
    request.writer.write(http1(b"{", length=(1 << 64) - 1))
    await request.writer.drain()
    await asyncio.sleep(0.2)


ODD_ANSWERS = {
    "bomb": lambda _: http1(gzip.compress(bytes(100 << 20)), "content-encoding: gzip\r\n"),
    "deep": lambda _: http1(wrap(b"[" * 200_000 + b"]" * 200_000)),
    "deepobjects": lambda _: http1(wrap(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
    "endless": endless,
    "interim": interim,
    "cut": cut,
    "two": lambda _: http1(wrap(b'{"who":"first"}')) + http1(wrap(b'{"who":"second"}')),
    "lengths": lambda _: http1(wrap(b"1"), "content-length: 3\r\n"),
    "coded": lambda _: b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + http1(wrap(b'{"who":"second"}')),
    "headers": lambda _: http1(wrap(b"1"), "".join(f"x-{number}: y\r\n" for number in range(5000))),
    "longheader": lambda _: http1(wrap(b"1"), "x-a: " + "y" * MIB + "\r\n"),
    "redirect": lambda _: http1(b"", "location: http://169.254.169.254/latest\r\n", status="302 Found"),
    "later": lambda _: http1(b'{"error":{"errorCode":"420","message":"x"}}', "retry-after: 99999999999\r\n", status="429 Too Many"),
    "words": lambda _: http1(json.dumps({"error": {"errorCode": "80301", "message": "M\r\ngrpc-status: 0\x1b[31m" + "x" * 500_000, "details": "d"}}).encode(), status="404 N"),
    "nul": lambda _: http1(wrap(rb'"\u0000\ud800"')),
    "huge": lambda _: http1(wrap(b"1e999999999")),
    "digits": lambda _: http1(wrap(b"9" * 1_000_000)),
}


@attack
def answers_that_break_rules():
    """Both arms of the result: alive, an answer with details, and the next call is not harmed."""
    def script(request):
        # …/actions/NAME, or …:function:default:NAME:latest/invocations
        name = re.search(r"(?:/actions/|:function:default:)(\w+)", unquote(request.target))
        return ODD_ANSWERS.get(name.group(1) if name else "", ran)(request)

    with Upstream(script) as upstream, Sidecar(upstream.port, target={"retry": {"max_attempts": 1}, "breaker": {"enabled": False}}) as sidecar, Bystander(f"unix:{sidecar.socket}") as bystander:
        for name in ODD_ANSWERS:
            for arm in ("JSON_ENCODING_TEXT", "JSON_ENCODING_VALUE"):
                for cloud in ("ncp", "functiongraph"):
                    got = bystander.caller.call("InvocationService/Invoke", {"target": cloud, "action_name": name, "result_encoding": arm}, timeout=10)
                    must(sidecar.group.kills() == 0, f"{name} on {cloud}, {arm}: alive within {sidecar.group.limit // MIB} MiB")
                    must(got.ok or got.reason, f"{name} on {cloud}: a failure has a reason: {got}")
                    text = str(got.message) if got.ok else got.text
                    must("second" not in text, f"{name} on {cloud}: an answer of another call is not handed out: {text[:200]}")
                    must((again := bystander.caller.run(timeout=10)).ok, f"{name} on {cloud}: the next call is answered: {again}")
        bystander.answered()
        sidecar.clean()
        return sidecar.used()
