"""Deploys a function through the sidecar and calls it: results, deadlines, cancelling, errors, retries, traces. ../README.md tells the steps."""

import secrets
import time
import uuid

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from faas.v1.action_pb2_grpc import ActionServiceStub
from faas.v1.invocation_pb2 import ActivationStatus
from faas.v1.invocation_pb2_grpc import InvocationServiceStub
from helpers import RETRY_POLICY, Failure, from_json
from orders import ADDRESS, delete, order, put


def show(step, response):
    result = from_json(response.activation.result)
    print(f"{step}: {result['message']} {result['count']} items")


channel = grpc.insecure_channel(ADDRESS, options=[("grpc.service_config", RETRY_POLICY)])
actions, invocations = ActionServiceStub(channel), InvocationServiceStub(channel)

health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=10)
print("connect:", health_pb2.HealthCheckResponse.ServingStatus.Name(health.status))

print("deploy:", actions.PutAction(put(), timeout=10).action.name)

show("invoke", invocations.Invoke(order(), timeout=10))

try:
    response = invocations.Invoke(order(seconds=3), timeout=2)
    print("deadline:", ActivationStatus.Name(response.activation.status))
except grpc.RpcError as error:
    failure = Failure(error)
    print(f"deadline: {failure.code}, execution {failure.execution}")

call = invocations.Invoke.future(order(seconds=3), timeout=10)
time.sleep(0.5)
call.cancel()
print("cancel:", call.code().name)

try:
    actions.PutAction(put("or ders", memory_mb=300), timeout=10)
    raise SystemExit("two wrong fields were taken")
except grpc.RpcError as error:
    failure = Failure(error)
    print("faults:", failure)
    for field in sorted(failure.fields):
        print("faults:", field)

try:
    invocations.Invoke(order("missing"), timeout=10)
    raise SystemExit("an action that is not there was run")
except grpc.RpcError as error:
    print("missing:", Failure(error))

# The target has room for one call: a second one waits a moment, is refused, and told when to come again.
slow = invocations.Invoke.future(order(seconds=2), timeout=10)
time.sleep(0.5)
with grpc.insecure_channel(ADDRESS) as impatient:
    try:
        InvocationServiceStub(impatient).Invoke(order(), timeout=10)
        raise SystemExit("a call that finds no room was not refused")
    except grpc.RpcError as error:
        failure = Failure(error)
        print(f"busy: {failure}, again in {failure.retry_delay_ms} ms")

# On the channel with the policy, grpcio repeats the same call when the sidecar said.
show("retry", invocations.Invoke(order(), timeout=10))
slow.result()

once = order(request_id=str(uuid.uuid4()))
first, second = (invocations.Invoke(once, timeout=10).activation.activation_id for _ in range(2))
print("request_id:", "one run" if first == second else "two runs")

# An OpenTelemetry instrumentation of grpcio sends this by itself.
trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
invocations.Invoke(order(), timeout=10, metadata=[("traceparent", f"00-{trace_id}-{span_id}-01")])
print("trace:", trace_id)

actions.DeleteAction(delete(), timeout=10)
print("delete: orders")
channel.close()
