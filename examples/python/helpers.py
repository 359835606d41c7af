"""What an application needs beside the generated code: JSON, the details of errors, the policy for retries."""

import json

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status

from faas.v1.common_pb2 import Json

# The sidecar's grpc-retry-pushback-ms, which grpcio obeys, says when to repeat, or not to; these pauses are for when it cannot be reached.
# What starts a function is not repeated after UNAVAILABLE: a sidecar that is killed says no more, and the function may have run.
PAUSES = {"maxAttempts": 5, "initialBackoff": "2s", "maxBackoff": "10s", "backoffMultiplier": 2}
STARTS = [{"service": "faas.v1.InvocationService", "method": "Invoke"}, {"service": "faas.v1.InvocationService", "method": "InvokeAsync"},
          {"service": "faas.v1.TriggerService", "method": "FireTrigger"}]
RETRY_POLICY = json.dumps({"methodConfig": [
    {"name": [{}], "retryPolicy": PAUSES | {"retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}},
    {"name": STARTS, "retryPolicy": PAUSES | {"retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]})


def to_json(value) -> Json: return Json(text=json.dumps(value))
def from_json(message: Json): return json.loads(message.text)


class Failure:
    """A failed call: its code, reason and execution, and what its details say beside that."""

    def __init__(self, error: grpc.RpcError):
        self.code = error.code().name
        self.info, self.fields, self.retry_delay_ms = ErrorInfo(), [], None
        status = rpc_status.from_call(error)
        for packed in status.details if status else []:
            if packed.Is(ErrorInfo.DESCRIPTOR):
                packed.Unpack(self.info)
            elif packed.Is(BadRequest.DESCRIPTOR):
                self.fields = [violation.field for violation in BadRequest.FromString(packed.value).field_violations]
            elif packed.Is(RetryInfo.DESCRIPTOR):
                self.retry_delay_ms = RetryInfo.FromString(packed.value).retry_delay.ToMilliseconds()

    @property
    def execution(self) -> str:
        """Whether the function may have run: not_started, unknown or completed. Without details nobody knows."""
        return self.info.metadata.get("execution", "unknown")

    def __str__(self):
        return f"{self.code} {self.info.reason}, execution {self.execution}"
