"""Both text formats of /metrics: read by the Prometheus project's own parsers, equal, and as many as the calls that `run` made."""

import os
import re
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

URL = f"http://{os.environ['PAGES']}/metrics"


def scrape(accept: str) -> tuple[str, str]:
    with urllib.request.urlopen(urllib.request.Request(URL, headers={"accept": accept})) as answer:
        return answer.headers["content-type"], answer.read().decode()


def samples(families: object) -> dict:
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


content_type, text = scrape("text/plain;version=0.0.4")
assert content_type == "text/plain; version=0.0.4; charset=utf-8", content_type
Path(os.environ["WORK"], "metrics.txt").write_text(text)
content_type, open_text = scrape("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8", content_type

plain, opened = samples(prometheus(text)), samples(openmetrics(open_text))
moving = re.compile("^process_|faas_sidecar_credentials_age|faas_sidecar_credentials_time|faas_sidecar_clock_skew")
assert plain.keys() == opened.keys(), plain.keys() ^ opened.keys()
differ = {key: (plain[key], opened[key]) for key in plain if plain[key] != opened[key] and not moving.match(key[0])}
assert not differ, differ


def value(name: str, **labels: str) -> float:
    found = [value for (at, have), value in plain.items() if at == name and labels.items() <= dict(have).items()]
    assert len(found) == 1, (name, labels, found)
    return found[0]


INVOKE = "faas.v1.InvocationService/Invoke"
assert value("rpc_server_call_duration_seconds_count", rpc_method=INVOKE, rpc_response_status_code="OK") == 4
assert value("rpc_server_call_duration_seconds_count", rpc_method=INVOKE, rpc_response_status_code="NOT_FOUND") == 2
assert value("faas_sidecar_invocations_total", faas_invoked_name="-/hello", outcome="success") == 3
assert not any("nope" in str(key) for key in plain), "a name that does not exist is no label"
requests = sum(v for (name, _), v in plain.items() if name == "http_client_request_duration_seconds_count")
assert requests == 7, requests
print(f"{len(plain)} samples, the same in both formats, as many as the calls")
