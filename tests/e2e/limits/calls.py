"""Callers by the stock gRPC client. What the methods take is read from the sidecar itself, by server reflection."""

import threading
import time
from dataclasses import dataclass, field

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from rig import TOKEN, must

LARGE = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1),
         ("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 500)]
known = None


@dataclass
class Answer:
    """A call's end: its code, and where it failed the details, which are parsed whatever they are."""

    code: str
    message: object = None
    text: str = ""
    reason: str = ""
    facts: dict = field(default_factory=dict)
    trailers: dict = field(default_factory=dict)
    details: list = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.code == "OK"

    def __str__(self) -> str:
        return f"{self.code} {self.reason} {self.text[:200]}" if not self.ok else "OK"


def failed(error: grpc.RpcError) -> Answer:
    trailers = dict(error.trailing_metadata() or ())
    answer = Answer(error.code().name, text=error.details() or "", trailers=trailers)
    if packed := trailers.get("grpc-status-details-bin"):
        for detail in status_pb2.Status.FromString(packed).details:
            kind = getattr(error_details_pb2, detail.type_url.rpartition(".")[2])
            answer.details.append(kind.FromString(detail.value))
            if kind is error_details_pb2.ErrorInfo:
                answer.reason, answer.facts = answer.details[-1].reason, dict(answer.details[-1].metadata)
    return answer


class Caller:
    """One client with a connection of its own. `address` is what gRPC takes: host:port or unix:/path."""

    def __init__(self, address: str, *, token: bool = False, credentials: grpc.ChannelCredentials | None = None):
        self.channel = grpc.secure_channel(address, credentials, LARGE) if credentials else grpc.insecure_channel(address, LARGE)
        self.metadata = [("authorization", f"Bearer {TOKEN}")] if token else []

    def methods(self) -> dict:
        """Every method of faas.v1, by `Service/Method`; asked of the first sidecar that this run meets."""
        global known
        if known is None:
            database = ProtoReflectionDescriptorDatabase(self.channel)
            pool = descriptor_pool.DescriptorPool(database)
            services = sorted(name for name in database.get_services() if name.startswith("faas."))
            known = {f"{name.rpartition('.')[2]}/{method.name}": method for name in services for method in pool.FindServiceByName(name).methods}
            must(len(known) > 20, f"reflection tells the methods: {sorted(known)}")
        return known

    def request(self, method: str, values: dict):
        return json_format.ParseDict(values, message_factory.GetMessageClass(self.methods()[method].input_type)())

    def stub(self, method: str):
        described = self.methods()[method]
        make = self.channel.unary_stream if described.server_streaming else self.channel.unary_unary
        reads = message_factory.GetMessageClass(described.output_type).FromString
        return make(f"/{described.containing_service.full_name}/{described.name}", lambda message: message.SerializeToString(), reads)

    def call(self, method: str, values: dict | None = None, *, message=None, timeout: float = 20, metadata=(), **more) -> Answer:
        """Calls a unary method, or reads a stream to its end; never fails."""
        request = message if message is not None else self.request(method, values or {})
        try:
            call = self.stub(method)
            if self.methods()[method].server_streaming:
                stream = call(request, timeout=timeout, metadata=[*self.metadata, *metadata], **more)
                return Answer("OK", list(stream), trailers=dict(stream.trailing_metadata()))
            answer, context = call.with_call(request, timeout=timeout, metadata=[*self.metadata, *metadata], **more)
            return Answer("OK", answer, trailers=dict(context.trailing_metadata()))
        except grpc.RpcError as error:
            return failed(error)

    def run(self, action: str = "hello", **more) -> Answer:
        return self.call("InvocationService/Invoke", {"action_name": action}, **more)

    def close(self) -> None:
        self.channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Bystander:
    """Another caller of the same sidecar: runs one function again and again while an attack goes on. All of them must be answered."""

    def __init__(self, address: str, **how):
        self.caller, self.over = Caller(address, **how), threading.Event()
        self.answers, self.slowest = [], 0.0
        must((first := self.caller.run()).ok, f"before the attack a caller is answered: {first}")
        self.thread = threading.Thread(target=self.main, daemon=True)
        self.thread.start()

    def main(self) -> None:
        while not self.over.wait(0.1):
            began = time.monotonic()
            self.answers.append(self.caller.run(timeout=10))
            self.slowest = max(self.slowest, time.monotonic() - began)

    def end(self) -> None:
        self.over.set()
        self.thread.join()
        self.caller.close()

    def answered(self) -> None:
        self.over.set()
        self.thread.join()
        if not self.answers:
            self.answers.append(self.caller.run(timeout=10))
        refused = [str(answer) for answer in self.answers if not answer.ok]
        must(self.answers and not refused, f"other callers are answered; {len(refused)} of {len(self.answers)} were not: {refused[:2]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
