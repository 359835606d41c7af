"""The requests of both examples, made of native objects."""

import os
from pathlib import Path

from faas.v1.action_pb2 import Action, DeleteActionRequest, Exec, Limits, PutActionRequest, Vpc
from faas.v1.invocation_pb2 import InvokeRequest
from helpers import to_json

ADDRESS = os.environ.get("FAAS_SIDECAR_ADDRESS", "127.0.0.1:50051")
TARGET = os.environ.get("FAAS_TARGET", "")
ORDER = {"name": "Kim", "items": [{"sku": "tea", "count": 2}, {"sku": "cup", "count": 1}]}


def put(name="orders", memory_mb=256) -> PutActionRequest:
    action = Action(
        exec=Exec(runtime="nodejs:22", main="main", source=Path("../orders.js").read_text()),
        limits=Limits(timeout={"seconds": 10}, memory_mb=memory_mb),
    )
    greeting = to_json({"greeting": "Hello"})
    if TARGET == "functiongraph":
        action.exec.runtime, action.exec.main = "Node.js18.15", "index.handler"
        action.function_graph.user_data.CopyFrom(greeting)
    else:
        action.parameters.CopyFrom(greeting)
        action.vpc.append(Vpc(vpc_no=1, subnet_no=2))
    return PutActionRequest(target=TARGET, action_name=name, action=action)


def order(action="orders", request_id="", **more) -> InvokeRequest:
    return InvokeRequest(target=TARGET, action_name=action, arguments=to_json(ORDER | more), request_id=request_id)


def delete() -> DeleteActionRequest:
    return DeleteActionRequest(target=TARGET, action_name="orders")
