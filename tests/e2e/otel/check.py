"""What a Collector's file exporter wrote, against the semantic conventions 1.44 (docs/rpc/grpc.md, docs/rpc/rpc-metrics.md,
docs/http/http-spans.md, docs/http/http-metrics.md, docs/faas/faas-spans.md, docs/general/recording-errors.md). Usage: check.py SPANS.json SIDECAR.log"""

import json
import re
import sys

SERVER, CLIENT = 2, 3
# The trace that the run begins outside of the sidecar.
CALLERS = "0af7651916cd43dd8448eb211c80319c"
ERROR = 2
SERVER_FAULTS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
CODES = SERVER_FAULTS | {
    "OK", "CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNAUTHENTICATED",
}  # fmt: skip


def attributes(of):
    read = {"stringValue": str, "intValue": int, "boolValue": bool, "doubleValue": float}
    pairs = {}
    for pair in of.get("attributes", []):
        assert pair["key"] not in pairs, f"{pair['key']} stands there twice"
        ((kind, value),) = pair["value"].items()
        pairs[pair["key"]] = read[kind](value)
    return pairs


def spans_of(lines):
    for line in lines:
        for resource in json.loads(line).get("resourceSpans", []):
            who = attributes(resource["resource"])
            assert who["service.name"] == "e2e", who
            assert who["telemetry.sdk.name"] == "faas-sidecar" and who["service.version"] and who["service.instance.id"], who
            for scope in resource["scopeSpans"]:
                assert scope["scope"]["name"] == "faas-sidecar", scope["scope"]
                assert scope["schemaUrl"].endswith("/1.44.0"), scope["schemaUrl"]
                yield from scope["spans"]


def last_metrics(lines):
    """Every metric as it was last exported, by name."""
    metrics = {}
    for line in lines:
        for resource in json.loads(line).get("resourceMetrics", []):
            assert attributes(resource["resource"])["service.name"] == "e2e", resource["resource"]
            for scope in resource["scopeMetrics"]:
                metrics.update({metric["name"]: metric for metric in scope["metrics"]})
    return metrics


def check_metrics(metrics, calls):
    served = metrics["rpc.server.call.duration"]
    assert served["unit"] == "s" and served["histogram"]["aggregationTemporality"] == 2, served
    points = served["histogram"]["dataPoints"]
    assert sum(int(point["count"]) for point in points) == calls, points
    for point in points:
        has = attributes(point)
        assert has["rpc.system.name"] == "grpc" and has["rpc.response.status_code"] in CODES, has
        assert re.fullmatch(r"faas\.v1\.\w+Service/\w+", has["rpc.method"]), has
        assert ("error.type" in has) == (has["rpc.response.status_code"] in SERVER_FAULTS), has
        assert point["explicitBounds"] == sorted(point["explicitBounds"])
        assert len(point["bucketCounts"]) == len(point["explicitBounds"]) + 1
    asked = metrics["http.client.request.duration"]
    assert asked["unit"] == "s", asked
    for point in asked["histogram"]["dataPoints"]:
        has = attributes(point)
        assert has["http.request.method"] in {"GET", "PUT", "POST", "DELETE"} and has["server.address"] and has["server.port"], has
        assert ("error.type" in has) == (has.get("http.response.status_code", 999) >= 400), has
    runs = metrics["faas_sidecar.invocations"]["sum"]
    assert runs["isMonotonic"], runs
    assert sum(int(point.get("asInt", point.get("asDouble", 0))) for point in runs["dataPoints"]) == 2, runs


def check_server(span, has):
    assert has["rpc.system.name"] == "grpc"
    assert re.fullmatch(r"faas\.v1\.\w+Service/\w+", has["rpc.method"]) and span["name"] == has["rpc.method"], span["name"]
    code = has["rpc.response.status_code"]
    assert code in CODES, code
    failed = code in SERVER_FAULTS
    assert (has.get("error.type") == code) == failed, has
    assert (span.get("status", {}).get("code", 0) == ERROR) == failed, span
    assert "rpc.system" not in has and "rpc.grpc.status_code" not in has, "names of an older convention"
    return code


def check_client(span, has):
    assert has["http.request.method"] in {"GET", "PUT", "POST", "DELETE"} and span["name"] == has["http.request.method"]
    assert has["server.address"] and 0 < has["server.port"] < 65536
    assert re.fullmatch(r"https?://[^@]+", has["url.full"]), has["url.full"]
    status = has.get("http.response.status_code")
    failed = status is None or status >= 400
    assert ("error.type" in has) == failed, has
    if status is not None and failed:
        assert has["error.type"] == str(status), has
    assert (span.get("status", {}).get("code", 0) == ERROR) == failed, span
    assert has.get("http.request.resend_count", 1) >= 1


def main(path, log):
    text = open(path).read()
    spans = list(spans_of(text.splitlines()))
    assert spans, "no span arrived"
    by_id = {span["spanId"]: span for span in spans}
    assert len(by_id) == len(spans), "a span id came twice"
    codes, invoked, roots = set(), 0, 0
    for span in spans:
        has = attributes(span)
        assert re.fullmatch(r"[0-9a-f]{32}", span["traceId"]) and re.fullmatch(r"[0-9a-f]{16}", span["spanId"])
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        parent = by_id.get(span.get("parentSpanId") or "")
        if span["kind"] == SERVER:
            codes.add(check_server(span, has))
            roots += 1
        else:
            assert span["kind"] == CLIENT
            check_client(span, has)
            assert parent and parent["kind"] == SERVER and parent["traceId"] == span["traceId"], span
        if "faas.invoked_name" in has:
            assert has["faas.invoked_provider"] == "naver_cloud" and has["faas.invoked_region"], has
            invoked += 1
    assert codes == {"OK", "NOT_FOUND", "INVALID_ARGUMENT"}, codes
    assert invoked >= 6 and roots == 5, (invoked, roots)
    assert {span["traceId"] for span in spans} == {CALLERS}, "the caller's trace goes on"
    metrics = last_metrics(text.splitlines())
    check_metrics(metrics, roots)
    logged = open(log).read()
    traces = {span["traceId"] for span in spans}
    lines = [json.loads(line) for line in logged.splitlines()]
    told = [line["trace_id"] for line in lines if line.get("message") == "call"]
    assert len(told) == roots and set(told) <= traces, "each call has a line that names its trace"
    for name, sink in (("spans", text), ("log", logged)):
        assert "canary" not in sink, f"a secret is in the {name}"
    print(f"{len(spans)} spans of {len(traces)} traces, statuses {sorted(codes)}, {len(told)} access lines, {len(metrics)} metrics")


if __name__ == "__main__":
    main(*sys.argv[1:])
