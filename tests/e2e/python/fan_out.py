"""A thousand calls at once of half a second each, with a deadline of a minute and the examples' policy for retries: all are answered.

Default configuration, so that they wait for 100 slots. Environment: ADDRESS; the generated code and examples/python on PYTHONPATH.
"""

import asyncio
import os
import time
from collections import Counter

import grpc

from faas.v1.action_pb2 import Action, Exec, Limits, PutActionRequest, Vpc
from faas.v1.action_pb2_grpc import ActionServiceStub
from faas.v1.common_pb2 import Json
from faas.v1.invocation_pb2 import InvokeRequest
from faas.v1.invocation_pb2_grpc import InvocationServiceStub
from google.protobuf.duration_pb2 import Duration
from helpers import RETRY_POLICY

CALLS = int(os.environ.get("FAN_OUT_CALLS", "1000"))
CODE = "function main() { return new Promise(resolve => setTimeout(() => resolve({}), 500)); }"


async def outcome(stub):
    try:
        answer = await stub.Invoke(InvokeRequest(action_name="half-a-second", arguments=Json(text="{}")), timeout=60)
        return "OK" if answer.activation.success else f"the function failed: {answer.activation.result.text}"
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"


async def main():
    async with grpc.aio.insecure_channel(os.environ["ADDRESS"], options=[("grpc.service_config", RETRY_POLICY)]) as channel:
        action = Action(
            exec=Exec(runtime="nodejs:22", main="main", source=CODE),
            limits=Limits(timeout=Duration(seconds=10), memory_mb=256),
            vpc=[Vpc(vpc_no=1, subnet_no=2)],
        )
        await ActionServiceStub(channel).PutAction(PutActionRequest(action_name="half-a-second", action=action), timeout=10)
        began = time.monotonic()
        outcomes = Counter(await asyncio.gather(*(outcome(InvocationServiceStub(channel)) for _ in range(CALLS))))
        assert outcomes == {"OK": CALLS}, outcomes
        print(f"python: {CALLS} calls at once of half a second, all answered in {time.monotonic() - began:.1f} s")


asyncio.run(main())
