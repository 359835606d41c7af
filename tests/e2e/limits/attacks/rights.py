"""Callers that ask for more than their rights, secrets that may show nowhere, and one caller that takes all turns."""

import asyncio
import threading
import time

from calls import Caller
from http2 import Connection, message
from rig import KEYS, PROJECT, TOKEN, Sidecar, free_port, must
from upstream import Upstream, answer, ran

from . import attack
from .admin import ask

OPERATIONS = ["invoke", "observe", "read", "write"]


@attack
def names_that_look_allowed():
    """Rules name reports/* and -/ping. Nothing that they do not name reaches the cloud, however it is spelled."""
    rules = [{"actions": ["reports/*", "-/ping"], "operations": OPERATIONS}, {"triggers": ["nightly-*"], "operations": ["fire", "write", "read"]}]
    graph_rules = rules[:1]
    limits = {"timeout": "3s", "memory_mb": 128}
    run, put = "InvocationService/Invoke", "ActionService/PutAction"
    refused = [(run, {"package_name": package, "action_name": name}) for package, name in [
        ("", "secret"), ("Reports", "x"), ("reports ", "x"), ("reports/", "x"), ("reports/x", "y"), ("reports", "../../secret"), ("reports", "x/../../../packages/-/actions/secret"), ("reports", ""),
        ("*", "*"), ("reports", "*"), ("reports", "x?platform=classic"), ("reports", "x%2f.."), ("reports\u200b", "x"), ("ｒeports", "x"), ("reports", "x\0"), ("-", "-/ping"), ("-/ping", "")]]
    refused += [(run, {"target": "functiongraph", "package_name": package, "action_name": name}) for package, name in [("default", "secret"), ("reports", "x:latest"), ("reports", "x:!prod")]]
    refused += [(run, {"target": "functiongraph", "package_name": "reports", "action_name": "x", "version": version}) for version in ("1:function:other:secret", "..", "1/../../x", "v1%2Fsecret")]
    refused += [(put, {"package_name": "reports", "action_name": "seq", "action": {"type": "ACTION_TYPE_SEQUENCE", "exec": {"components": parts}}}) for parts in (
        ["pay/x"], ["/reports/x"], ["reports//x"], ["x"], ["reports/x", "-/secret"], ["/_/pay/x"], ["reports/../pay/x"])]
    refused += [
        ("InvocationService/ListActivations", {}), ("PackageService/ListPackages", {}), ("PackageService/PutPackage", {"package_name": "-"}),
        ("InvocationService/GetActivation", {"package_name": "reports", "action_name": "x", "activation_id": "../../../-/actions/secret/activations/" + "0" * 32}),
        ("TriggerService/FireTrigger", {"trigger_name": "nightly-/../x"}), ("TriggerService/FireTrigger", {"trigger_name": "other"}),
        ("TriggerService/LinkAction", {"trigger_name": "nightly-1", "package_name": "pay", "action_name": "x"}),
        (put, {"target": "functiongraph", "package_name": "pay", "action_name": "x", "action": {"exec": {"runtime": "Node.js18.15", "main": "index.handler", "source": "x"}, "limits": limits}}),
        ("ActionService/DeleteAction", {"package_name": "pay", "action_name": "x"}), ("ActionService/GetAction", {"action_name": "secret"}),
    ]
    with Upstream() as upstream:
        base = {"base_url": f"http://127.0.0.1:{upstream.port}"}
        places = {"ncp": {"provider": "ncp", "allow": rules, **base}, "functiongraph": {"provider": "functiongraph", "region": "ap-southeast-3", "project_id": PROJECT, "allow": graph_rules, **base}}
        with Sidecar(upstream.port, targets=places) as sidecar, Caller(f"127.0.0.1:{sidecar.port}") as caller:
            for target, name in [("ncp", ("reports", "x")), ("ncp", ("", "ping")), ("functiongraph", ("reports", "x"))]:
                allowed = caller.call(run, {"target": target, "package_name": name[0], "action_name": name[1]})
                must(allowed.ok, f"{name} is allowed on {target}: {allowed}")
            before = sum(upstream.counts.values())
            for method, request in refused:
                got = caller.call(method, request, timeout=5)
                must(not got.ok and sum(upstream.counts.values()) == before, f"{method} {request} is refused and nothing is sent: {got}, {upstream.requests[before:][:1]}")
            sidecar.clean()
            return f"{len(refused)} requests refused"


@attack
def secrets_that_show():
    """What callers, files and answers hold is in no log, page or error: arguments, results, code, keys, tokens, metadata."""
    marks = {name: f"{name}-canary-0001" for name in ("argument", "result", "detail", "code", "token", "metadata", "baggage")}

    def script(request):
        if "boom" in request.target:
            return answer(500, b'{"error":{"errorCode":"900","message":"the cloud said so","details":"%s"}}' % marks["result"].encode())
        if "page" in request.target:
            return answer(200, f"<html>{marks['result']}</html>".encode())
        return ran(request, b'{"r":"%s"}' % marks["result"].encode())

    port = free_port()
    with Upstream(script) as upstream, Sidecar(upstream.port, "gateway", admin=f"127.0.0.1:{port}", log={"level": "trace", "format": "json"}) as sidecar:
        with Caller(f"127.0.0.1:{sidecar.port}", token=True) as caller, Caller(f"unix:{sidecar.socket}") as local:
            local.methods()
            extra = [("x-api-key", marks["metadata"]), ("baggage", f"user={marks['baggage']}")]
            for name in ("hello", "boom", "page"):
                for target in ("ncp", "functiongraph"):
                    caller.call("InvocationService/Invoke", {"target": target, "action_name": name, "arguments": {"text": f'{{"card":"{marks["argument"]}"}}'}}, metadata=extra)
            caller.call("InvocationService/Invoke", {"action_name": "x", "arguments": {"text": f'{{"card":"{marks["argument"]}" broken'}})
            caller.call("ActionService/PutAction", {"action_name": "x", "action": {"exec": {"runtime": "nodejs:22", "main": "main", "source": marks["code"]}, "limits": {"timeout": "1s", "memory_mb": 128}}})
        with Caller(f"127.0.0.1:{sidecar.port}") as stranger:
            must((got := stranger.run(metadata=[("authorization", f"Bearer {marks['token']}-wrong")])).code == "UNAUTHENTICATED", f"a wrong token is refused: {got}")
        shown = {"the log": sidecar.log, **{path: ask(port, "GET", path)[1] for path in ("/config", "/credentials", "/metrics", "/readyz")}}
        secrets = [*marks.values(), TOKEN, *(value for name, value in KEYS.items() if not name.endswith(("KEY_ID", "AK")))]
        # The words of a failure may be the cloud's; the log has them at the level debug alone.
        found = [f"{secret} in {where}" for where, text in shown.items() for secret in secrets if secret in text]
        must(not found, f"no secret shows: {found}")
        sidecar.clean()


@attack
def one_caller_with_all_turns():
    """400 slow calls of one caller: the calls of another to another action are answered beside them."""
    async def slow(request):
        if "slow" in request.target:
            await asyncio.sleep(2)
        return ran(request)

    with Upstream(slow) as upstream, Sidecar(upstream.port) as sidecar, Caller(f"127.0.0.1:{sidecar.port}") as other:
        must(other.run().ok, "a caller is answered before")
        greedy, over = Connection(("127.0.0.1", sidecar.port)), threading.Event()

        def flood():
            while not over.is_set():
                greedy.finish([greedy.open("/faas.v1.InvocationService/Invoke", [("grpc-timeout", "20S")], message(b"\x22\x04slow")) for _ in range(400)], 20)
                greedy.streams.clear()

        thread = threading.Thread(target=flood)
        thread.start()
        time.sleep(0.5)
        answers = []
        until = time.monotonic() + 5
        while time.monotonic() < until:
            answers.append(other.run("fast", timeout=5))
        over.set()
        thread.join()
        refused = [str(one) for one in answers if not one.ok]
        must(answers and len(refused) <= len(answers) // 10, f"at least nine of ten calls beside the flood are answered: {len(refused)} of {len(answers)} are not: {refused[:2]}")
        sidecar.clean()
        greedy.close()
        return f"{len(answers)} calls beside the flood"
