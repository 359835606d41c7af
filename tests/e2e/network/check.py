"""Calls through a network that fails. argv: the process whose network namespace the upstream lives in."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ID = "0f3c2b1a0f3c2b1a0f3c2b1a0f3c2b1a"
HOST, ADDRESS, PORT = "upstream.test", "10.9.0.2", 8080


class Upstream(BaseHTTPRequestHandler):
    """Answers a run as each cloud does."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/invocations"):
            answer = {"request_id": ID, "result": "{}", "log": "", "status": 200}
        else:
            answer = {"content": {"activationId": ID, "name": "hello", "response": {"result": {}, "status": "success", "success": True}}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if sys.argv[1:] == ["upstream"]:
    server = ThreadingHTTPServer((ADDRESS, PORT), Upstream)
    # Connections break here on purpose.
    server.handle_error = lambda *_: None
    server.serve_forever()

import grpc  # noqa: E402
from google.rpc import error_details_pb2  # noqa: E402
from grpc_status import rpc_status  # noqa: E402

from faas.v1 import invocation_pb2, invocation_pb2_grpc  # noqa: E402

INSIDE = ["nsenter", "--net", "--target", sys.argv[1]]
TARGETS = ("ncp", "functiongraph")


class Resolver:
    """A name server on this namespace's loopback. `says`: the address, a failure, or nothing."""

    def __init__(self):
        self.says, self.asked = "address", 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            question, peer = self.socket.recvfrom(512)
            self.asked += 1
            end = question.index(0, 12) + 5
            kind = int.from_bytes(question[end - 4:end - 2], "big")
            answers = b""
            if self.says == "address" and kind == 1:
                answers = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + socket.inet_aton(ADDRESS)
            flags = b"\x81\x82" if self.says == "failure" else b"\x81\x80"
            head = question[:2] + flags + b"\x00\x01" + (b"\x00\x01" if answers else b"\x00\x00") + b"\x00\x00\x00\x00"
            if self.says != "nothing":
                self.socket.sendto(head + question[12:end] + answers, peer)


def invoke(target, timeout):
    """None, or what a failed call says: code, reason, execution."""
    try:
        stub.Invoke(invocation_pb2.InvokeRequest(target=target, action_name="hello"), timeout=timeout)
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)
        for packed in status.details if status else []:
            info = error_details_pb2.ErrorInfo()
            if packed.Unpack(info):
                return error.code().name, info.reason, info.metadata["execution"]
        return error.code().name, error.details(), None


def all_well(seconds, what):
    calls, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for target in TARGETS:
            failed = invoke(target, 5)
            assert failed is None, f"{what}: {target}: {failed} after {calls} calls"
            calls += 1
        time.sleep(0.02)
    return calls


def swallow(packets):
    """Every packet that reaches the upstream's namespace is lost, or none."""
    rule = ["ip", "rule", "add" if packets else "del", "pref", "0", "iif", "cable1", "blackhole"]
    subprocess.run([*INSIDE, *rule], check=True)


resolver = Resolver()
common = {"base_url": f"http://{HOST}:{PORT}", "allow_plaintext": True, "breaker": {"enabled": False}, "retry": {"max_attempts": 1},
          "timeouts": {"connect": "500ms", "attempt": "1s", "max_connection_age": "1s"}}
config = {"listen": "127.0.0.1:50051", "default_target": "ncp", "targets": {
    "ncp": {"provider": "ncp", **common},
    "functiongraph": {"provider": "functiongraph", "region": "cn-north-4", "project_id": "0123456789abcdef0123456789abcdef", **common}}}
path = os.path.join(os.environ["WORK"], "network.yaml")
with open(path, "w") as file:
    json.dump(config, file)
keys = {"NCLOUD_ACCESS_KEY_ID": "NETWORKACCESSKEY0001", "NCLOUD_SECRET_ACCESS_KEY": "network-secret-key-not-real-0000000001",
        "HUAWEICLOUD_SDK_AK": "NETWORKACCESSKEY0002", "HUAWEICLOUD_SDK_SK": "network-secret-key-not-real-0000000002"}
processes = [subprocess.Popen([*INSIDE, sys.executable, __file__, "upstream"]),
             subprocess.Popen([os.environ["FAAS_SIDECAR"], "serve", "--config", path], env=keys, stderr=subprocess.DEVNULL)]
try:
    subprocess.run([os.environ["FAAS_SIDECAR"], "wait", "--address", "127.0.0.1:50051", "--timeout", "20s"], check=True)
    stub = invocation_pb2_grpc.InvocationServiceStub(grpc.insecure_channel("127.0.0.1:50051"))
    until = time.monotonic() + 10
    while any(invoke(target, 5) for target in TARGETS):
        assert time.monotonic() < until, "the upstream does not begin to answer"
    all_well(2, "a network that is well")

    # Connections grow old meanwhile, and each new one asks for the name.
    for says in ("failure", "nothing"):
        resolver.says, before = says, resolver.asked
        calls = all_well(6, f"a resolver that answers {says}")
        assert resolver.asked > before, "nobody asked the resolver"
        print(f"network: a resolver that answers {says} costs none of {calls} calls")
    resolver.says = "address"
    all_well(2, "a resolver that is well again")

    swallow(True)
    for target in TARGETS:
        first = invoke(target, 10)
        assert first and first[1:] in [("ATTEMPT_TIMEOUT", "unknown"), ("CONNECT_TIMEOUT", "not_started")], (target, first)
        # What was sent into the silence is not tried again, and no call is sent there any more.
        for _ in range(3):
            told = invoke(target, 10)
            assert told == ("UNAVAILABLE", "CONNECT_TIMEOUT", "not_started"), (target, first, told)
    swallow(False)
    began = time.monotonic()
    while any(invoke(target, 10) for target in TARGETS):
        assert time.monotonic() - began < 10, "it does not find back"
    all_well(2, "a network that is well again")
    print(f"network: a route that swallows packets costs one call a connection; the rest are told not_started; well {time.monotonic() - began - 2:.1f} s after its end")
finally:
    for process in processes:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
