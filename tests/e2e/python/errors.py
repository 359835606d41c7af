"""What a stock Python client sees: rich details, trailers, deadlines, the Unix socket."""

import os

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from faas.v1 import invocation_pb2, invocation_pb2_grpc


def details(error):
    found = {}
    for packed in rpc_status.from_call(error).details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.ResourceInfo):
            if packed.Is(kind.DESCRIPTOR):
                found[kind.__name__] = kind.FromString(packed.value)
    return found


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call must fail")


for address in (os.environ["ADDRESS"], "unix:" + os.environ["SOCKET"]):
    stub = invocation_pb2_grpc.InvocationServiceStub(grpc.insecure_channel(address))
    missing = failure(lambda: stub.Invoke(invocation_pb2.InvokeRequest(action_name="nope"), timeout=10))
    assert missing.code() == grpc.StatusCode.NOT_FOUND, missing
    info = details(missing)["ErrorInfo"]
    assert info.reason == "ACTION_NOT_FOUND", info
    assert info.metadata["execution"] == "not_started", info
    assert info.metadata["upstream_code"] == "80301", info
    trailers = dict(missing.trailing_metadata())
    assert trailers["faas-attempts"] == "1" and trailers["grpc-retry-pushback-ms"] == "-1", trailers

    wrong = failure(lambda: stub.Invoke(invocation_pb2.InvokeRequest(action_name="a b", memory_mb=1), timeout=10))
    assert wrong.code() == grpc.StatusCode.INVALID_ARGUMENT
    fields = {violation.field for violation in details(wrong)["BadRequest"].field_violations}
    assert fields == {"action_name", "memory_mb"}, fields
print("python: error details, trailers, TCP and Unix socket")
