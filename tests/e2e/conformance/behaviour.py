"""A stock gRPC client of the C core (grpcio): codes and details, sizes, compression, metadata, deadlines, pings, goodbyes.

Needs: ADDRESS and SOCKET of a sidecar whose upstream is upstream/main.go at UPSTREAM, EMULATED of one with emulated clouds,
PATIENT of one that keeps idle connections, code generated on PYTHONPATH.
`behaviour.py codes SEEN` checks the calls of cases.json and that the Go client has seen the same; `behaviour.py rest` everything else.
"""

import json
import os
import pathlib
import re
import sys
import threading
import time
import urllib.request

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2  # noqa: F401: its messages are found by name
from grpc_status import rpc_status

from faas.v1 import action_pb2, action_pb2_grpc, common_pb2, invocation_pb2, invocation_pb2_grpc, package_pb2, trigger_pb2  # noqa: F401

ADDRESS, SOCKET, UPSTREAM, EMULATED, PATIENT = (os.environ[name] for name in ("ADDRESS", "SOCKET", "UPSTREAM", "EMULATED", "PATIENT"))
HERE = pathlib.Path(__file__).parent
MB = 1 << 20
LARGE = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def stub(address=ADDRESS, options=(), **more):
    return invocation_pb2_grpc.InvocationServiceStub(grpc.insecure_channel(address, options=list(options), **more))


def run(action, text="{}", **more):
    return invocation_pb2.InvokeRequest(action_name=action, arguments=common_pb2.Json(text=text), **more)


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call must fail")


def details(error):
    """Every detail of a failed call, by the name of its kind. Fails when one cannot be decoded."""
    status = rpc_status.from_call(error)
    found = {}
    for packed in status.details if status else ():
        name = packed.type_url.rpartition("/")[2]
        kind = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
        found[name.rpartition(".")[2]] = json_format.MessageToDict(kind.FromString(packed.value))
    return found


def codes(seen_by_go):
    go = [json.loads(line) for line in pathlib.Path(seen_by_go).read_text().splitlines()]
    cases = json.loads((HERE / "cases.json").read_text())
    assert [one["name"] for one in go] == [one["name"] for one in cases]
    channel = grpc.insecure_channel(ADDRESS)
    for case, other in zip(cases, go):
        service, method = case["method"].split("/")
        described = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(method)
        request = json_format.ParseDict(case["request"], message_factory.GetMessageClass(described.input_type)())
        call = channel.unary_unary("/" + case["method"], request.SerializeToString, message_factory.GetMessageClass(described.output_type).FromString)
        error = failure(lambda: call(request, timeout=20))
        said = details(error)
        info = said["ErrorInfo"]
        got = (error.code().name, info["reason"], info["metadata"]["execution"], sorted(said))
        assert got == (case["code"], case["reason"], case["execution"], case["kinds"]), f"{case['name']}: {got}, {said}"
        assert info["domain"] == "faas-sidecar" and info["metadata"]["component"] and error.details()
        if "RetryInfo" in said:
            assert said["RetryInfo"]["retryDelay"].endswith("s")
            said["RetryInfo"]["retryDelay"] = "some"
        here = {"name": case["name"], "code": error.code().value[0], "message": error.details(), "details": said}
        assert here == other, f"Python and Go differ:\n{here}\n{other}"
    # The table of docs/errors.md is the list of codes that there are.
    table = set(re.findall(r"(?m)^\| ([A-Z_]+) \| [^|]+ \| [^|]+ \|$", pathlib.Path("docs/errors.md").read_text()))
    shown = {case["code"] for case in cases}
    assert table == shown, f"in the document alone: {table - shown}, here alone: {shown - table}"
    print(f"{len(cases)} failures of {len(shown)} codes, all that docs/errors.md names: Python and Go decode the same details")


def sizes():
    # What comes back: C core takes 4 MB unless told otherwise; so do most libraries.
    by_default = stub()
    assert len(by_default.Invoke(run(f"size-{4 * MB - 1000}"), timeout=30).activation.result.text) == 4 * MB - 998
    error = failure(lambda: by_default.Invoke(run(f"size-{4 * MB}"), timeout=30))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in error.details(), error
    told = stub(options=LARGE)
    assert len(told.Invoke(run(f"size-{40 * MB}"), timeout=60).activation.result.text) == 40 * MB + 2
    # Beyond the sidecar's own limit, max_message_size: it ran, and says so.
    error = failure(lambda: told.Invoke(run(f"size-{65 * MB}"), timeout=60))
    info = details(error)["ErrorInfo"]
    assert (error.code().name, info["reason"], info["metadata"]["execution"]) == ("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE", "completed"), info
    # What goes out: the largest code that the cloud takes makes a message of 40 MB; it comes back as it was.
    actions = action_pb2_grpc.ActionServiceStub(grpc.insecure_channel(EMULATED, options=LARGE))
    for size in (4 * MB, 38 * MB):
        source = "function main(p) { return p; } //".ljust(size, "x")
        action = action_pb2.Action(
            exec=action_pb2.Exec(runtime="nodejs:22", main="main", source=source),
            limits=action_pb2.Limits(timeout={"seconds": 10}, memory_mb=256),
            parameters=common_pb2.Json(text=json.dumps({"padding": "x" * 200_000})),
            vpc=[action_pb2.Vpc(vpc_no=1, subnet_no=2)],
        )
        request = action_pb2.PutActionRequest(action_name="large", action=action)
        assert request.ByteSize() > size / (38 * MB) * 40_000_000
        actions.PutAction(request, timeout=60)
        read = actions.GetAction(action_pb2.GetActionRequest(action_name="large", include_code=True), timeout=60).action
        assert read.exec.source == source
    error = failure(lambda: told.Invoke(run("echo", '"' + "x" * 65 * MB + '"'), timeout=60))
    info = details(error)["ErrorInfo"]
    assert (error.code().name, info["reason"], info["metadata"]["execution"]) == ("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE", "not_started"), info
    print("messages of 4 and 40 MB both ways; beyond a client's own limit and the sidecar's: RESOURCE_EXHAUSTED, and whether it ran")


def compression():
    text = json.dumps({"name": "x" * 100_000})
    for packs in (grpc.Compression.Gzip, grpc.Compression.NoCompression):
        assert stub(compression=packs).Invoke(run("echo", text), timeout=20).activation.result.text == text
    error = failure(lambda: stub(compression=grpc.Compression.Deflate).Invoke(run("echo", text), timeout=20))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
    assert details(error)["ErrorInfo"]["reason"] == "COMPRESSION_NOT_SUPPORTED" and "gzip" in error.details(), error
    print("gzip calls are answered; deflate is UNIMPLEMENTED, and says what is spoken")


def metadata():
    known = [("x-any", "value"), ("trace-bin", bytes(range(256))), ("x-any", "again"), ("traceparent", "nonsense")]
    answer, call = stub().Invoke.with_call(run("echo"), timeout=20, metadata=known)
    trailers = dict(call.trailing_metadata())
    assert trailers["faas-attempts"] == "1", trailers
    assert stub().Invoke(run("echo"), timeout=20, metadata=[("x-large", "v" * 8000)]).activation.success
    error = failure(lambda: stub().Invoke(run("echo"), timeout=20, metadata=[("x-large", "v" * 20_000)]))
    large = error.code().name
    assert large == "UNKNOWN" and "431" in error.details(), error
    # The connection goes on.
    one = stub()
    for key, value in (("UPPER", "x"), ("x", "line\nbreak")):
        try:
            one.Invoke(run("echo"), timeout=20, metadata=[(key, value)])
        except (grpc.RpcError, ValueError):
            pass
        assert one.Invoke(run("echo"), timeout=20).activation.success
    print(f"metadata: repeated, binary and 8 kB pass; 20 kB is refused (HTTP 431, {large}); what a library refuses to send harms nothing")


def deadlines():
    for wait in (0.05, 0.3, 1.0):
        began = time.monotonic()
        error = failure(lambda: stub().Invoke(run("slow-20000"), timeout=wait))
        took = time.monotonic() - began
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and wait * 0.8 <= took < wait + 1, (error, took)
    assert failure(lambda: stub().Invoke(run("echo"), timeout=0)).code() == grpc.StatusCode.DEADLINE_EXCEEDED
    left = lambda: int(urllib.request.urlopen(f"http://{UPSTREAM}/left", timeout=10).read())
    before = left()
    call = stub().Invoke.future(run("slow-20000"), timeout=20)
    time.sleep(0.3)
    call.cancel()
    assert call.code() == grpc.StatusCode.CANCELLED
    until = time.monotonic() + 10
    while left() <= before:
        assert time.monotonic() < until, "a cancelled call's request goes on"
        time.sleep(0.02)
    print("deadlines of 50 ms, 300 ms and 1 s end in time, one that is over at once; a cancelled call ends its request to the cloud")


def pings():
    """A client that pings every 100 ms, with and without calls, is neither sent away nor slowed down."""
    eagerness = {"keepalive_time_ms": 100, "keepalive_timeout_ms": 20_000, "keepalive_permit_without_calls": 1, "http2.max_pings_without_data": 0}
    channel = grpc.insecure_channel(PATIENT, options=[(f"grpc.{name}", value) for name, value in eagerness.items()])
    states = []
    channel.subscribe(states.append, try_to_connect=True)
    grpc.channel_ready_future(channel).result(timeout=10)
    eager = invocation_pb2_grpc.InvocationServiceStub(channel)
    assert eager.Invoke(run("slow-3000"), timeout=20).activation.success
    for _ in range(4):
        time.sleep(0.5)
        assert eager.Invoke(run("echo"), timeout=20).activation.success
    ready = states.index(grpc.ChannelConnectivity.READY)
    assert states[ready:] == [grpc.ChannelConnectivity.READY], states
    # A client that pings never and whose call takes longer than the sidecar's own interval (1 s) answers the sidecar's pings.
    assert stub(PATIENT).Invoke(run("slow-3000"), timeout=20).activation.success
    print("a ping every 100 ms for 5 s, within calls and between them: one connection, every call answered; the sidecar's own pings end no call")


def goodbyes():
    """Calls at about the moment in which an idle connection gets GOAWAY, after one to two idle_timeouts of 1 s: C core finds its way."""
    failures, states = [], []

    def call_on(number):
        channel = grpc.insecure_channel(ADDRESS, options=[("grpc.use_local_subchannel_pool", 1)])
        channel.subscribe(states.append)
        one = invocation_pb2_grpc.InvocationServiceStub(channel)
        for call in range(5):
            try:
                assert one.Invoke(run("echo"), timeout=20).activation.success
            except grpc.RpcError as error:
                failures.append(error)
            time.sleep(0.9 + (number * 5 + call) % 24 * 0.05)

    callers = [threading.Thread(target=call_on, args=(number,)) for number in range(24)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures, failures
    sent_away = states.count(grpc.ChannelConnectivity.READY) - len(callers)
    assert sent_away >= len(callers) / 2, f"{sent_away} idle connections were sent away"
    print(f"{5 * len(callers)} calls about the time in which {sent_away} idle connections were sent away: none failed, without wait_for_ready")


def socket():
    for address in (f"unix:{SOCKET}", f"unix://{SOCKET}"):
        one = stub(address)
        for _ in range(3):
            assert one.Invoke(run("echo"), timeout=20).activation.success
        assert details(failure(lambda: one.Invoke(run("fail-404-80301"), timeout=20)))["ErrorInfo"]["reason"] == "ACTION_NOT_FOUND"
    print("the Unix socket, with no channel option: results and errors")


if sys.argv[1] == "codes":
    codes(sys.argv[2])
else:
    for behaviour in (sizes, compression, metadata, deadlines, pings, goodbyes, socket):
        behaviour()
