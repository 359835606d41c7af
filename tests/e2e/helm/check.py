"""What `run` checks, one function a claim. Each prints a line; one that does not hold ends the script. They run side by side."""

import json
import os
import re
import subprocess
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import helm_python
import kubernetes_validate
import yaml

import documents
import embed
import gateway
import injection
import refusals
import sidecar
import table
from rig import BINARY, CHART, HERE, NEWEST, application, expect, helm, kinds, rendered

MODES = {"default": {}, **sidecar.MODES}


def lint() -> None:
    for name, values in MODES.items():
        for version in ["v1.29.0", "v1.29.3-r0", "v1.37.0"]:
            report = helm("lint", "--strict", "--kube-version", version, CHART, values=values)
            expect(report.returncode == 0 and "[WARNING]" not in report.stdout, f"lint, {name}: {report.stdout}{report.stderr}")
    broken = helm("lint", "--strict", CHART, values={"nativeSidecar": "yes"})
    expect(broken.returncode == 1 and "nativeSidecar" in broken.stdout, "lint finds a wrong value")
    print(f"lint --strict passes with the defaults and {len(MODES) - 1} files of values, by {helm('version', '--short').stdout.strip()}")


def package() -> None:
    with tempfile.TemporaryDirectory() as directory:
        made = helm("package", CHART, "--destination", directory)
        [archive] = Path(directory).iterdir()
        names = {name.removeprefix("faas-sidecar/") for name in tarfile.open(archive).getnames()}
        expect(
            {"README.md", "values.schema.json", "templates/NOTES.txt", "templates/_sidecar.tpl", "templates/policy.yaml"} <= names,
            f"the package is whole: {names}",
        )
        expect(not any(name.startswith("ci/") for name in names), "the package has no ci/")
        of_archive = helm("template", "faas", archive, "--kube-version", NEWEST, "--set", "injection.mode=policy").stdout
        expect(
            of_archive == helm("template", "faas", CHART, "--kube-version", NEWEST, "--set", "injection.mode=policy").stdout,
            f"it renders the same: {made.stderr}",
        )
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    [image] = yaml.safe_load(about["annotations"]["artifacthub.io/images"])
    expect(image["image"] == f"faas-sidecar:{about['appVersion']}", "Artifact Hub is told the image that the chart runs")
    expect(
        all(
            change["kind"] in {"added", "changed", "fixed", "removed", "security"} for change in yaml.safe_load(about["annotations"]["artifacthub.io/changes"])
        ),
        "its changes are of known kinds",
    )
    expect(f"version: {about['version']}, repository" in (CHART / "README.md").read_text(), "the README depends on this version")
    print("package makes an archive with templates, schema, README, which renders the same")


def other_helm() -> None:
    """Helm 4, as a library, renders the same as Helm 3. What Helm makes by chance, keys, is left out."""
    for name, values in MODES.items():
        values = {**values, "injection": {**values.get("injection", {}), "mode": "policy"}}
        with helm_python.Chart.load(CHART) as chart:
            files = chart.render(values, name="faas", namespace="team")
        theirs = [item for file, text in files.items() if file.endswith(".yaml") for item in yaml.safe_load_all(text) if item]
        ours = list(rendered(values).values())

        def order(item: dict) -> str:
            return json.dumps(item, sort_keys=True)

        expect(sorted(theirs, key=order) == sorted(ours, key=order), f"{name}: Helm {helm_python.helm_sdk_version()} renders the same")
    print(f"Helm {helm_python.helm_sdk_version()} renders the same objects")


def every_value_is_commented() -> None:
    rows = table.rows()
    for name, _, said in rows:
        expect(said.endswith((".", ":")) or "such as" in said, f"values.yaml: a comment is above {name}: {said}")
    schema = json.loads((CHART / "values.schema.json").read_text())
    tops = {name for name, _, _ in rows if "." not in name}
    expect(set(schema["properties"]) == tops | {"global", "enabled"}, "values.yaml and the schema have the same keys")
    expect(table.README.read_text() == table.renewed(), "the README's table is of values.yaml; renew it with table.py")
    closed(schema)
    print(f"values.yaml: {len(rows)} values, each with its comment, all of them in the README's table and in the schema")


def closed(schema: object, path: str = "values") -> None:
    """The schema lets in no key that it does not know: every object has known keys, or says what its values are. Kubernetes' affinity is its own."""
    if isinstance(schema, list):
        for each in schema:
            closed(each, path)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and not re.search(r"global|affinity|Affinity|not$", path):
            expect("additionalProperties" in schema or schema.get("maxProperties") == 0, f"{path} refuses unknown keys")
        for pattern in [schema.get("pattern")] if isinstance(schema.get("pattern"), str) else []:
            expect(
                "\\u" not in pattern and not any(int(many) > 1000 for many in re.findall(r"{\d*,?(\d+)}", pattern)),
                f"{path}: Go can read the pattern {pattern}",
            )
        for key, value in schema.items():
            closed(value, f"{path}.{key}")


def notes_of(values: dict) -> str:
    """`helm template` shows no notes, and `helm install` needs a cluster; the same by the library."""
    with helm_python.Chart.load(CHART) as chart:
        return next(text for file, text in chart.render(values, name="faas", namespace="team").items() if file.endswith("NOTES.txt"))


def notes() -> None:
    for name, values in MODES.items():
        text = notes_of({**values, "gateway": {}, "injection": {"mode": "none"}})
        pod = yaml.safe_load("spec:" + text.split("\nspec:")[1].split("\nand in each")[0])["spec"]
        app = {"name": "application", "image": "application", **yaml.safe_load("env:" + text.split("\nenv:")[1].split("\nKeys, network")[0])}
        pod["containers"] = [*pod.get("containers", []), app]
        kubernetes_validate.validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": pod}, NEWEST, strict=True)
    expect("existingSecrets.default=faas-keys" in notes_of({}), "the notes tell how to name a Secret")
    for mode, said in [("policy", "MutatingAdmissionPolicy faas-faas-sidecar-injection."), ("webhook", "rollout status deployment/faas-faas-sidecar-injector")]:
        text = notes_of({"injection": {"mode": mode}})
        expect('faas-sidecar.io/inject: "true"' in text and said in text and "helm test faas -n team" in text, f"{mode}: the notes tell the next step: {text}")
    ways = [
        (gateway.TLS, "https://faas-faas-sidecar-gateway.team.svc:50051", "ca.crt of the Secret gateway-tls"),
        (gateway.TOKEN, "http://faas-faas-sidecar-gateway.team.svc:50051", "token from the Secret gateway-tokens"),
        ({"allowOpen": True}, "IT IS OPEN", "dns:///faas-faas-sidecar-gateway-headless.team.svc:50051"),
    ]
    for wish, *said in ways:
        text = notes_of({"injection": {"mode": "none"}, **gateway.values(wish)})
        expect(all(each in text for each in said) and "\nspec:" not in text, f"gateway: the notes tell who may call where: {text}")
    print("the notes tell the next step of each mode; their container, pasted into a pod, makes a valid one")


def labels_and_names() -> None:
    long = "a" * 63
    for values in [
        {"injection": {"mode": "policy"}},
        {"injection": {"mode": "webhook"}, **gateway.values(gateway.TLS)},
        {"injection": {"mode": "webhook"}, "fullnameOverride": long, **gateway.values(gateway.TLS)},
    ]:
        for key, item in rendered(values).items():
            expect(len(key[1]) <= (63 if key[0] in {"Service", "Deployment", "Pod"} else 253), f"{key}: its name is not too long")
            for label in ["name", "instance", "version", "component", "part-of", "managed-by"]:
                expect(item["metadata"]["labels"].get(f"app.kubernetes.io/{label}"), f"{key}: the label {label}")
    expect(not {"Pod"} & kinds(rendered({"tests": {"enabled": False}})), "the test can be left out")
    print("every object has the recommended labels, and a name that fits")


def doctor(args: list[str]) -> str:
    """The test's own command, with a target where nobody listens and no keys: it fails, and says why."""
    values = {"config": {"targets": {"away": {"provider": "ncp", "base_url": "http://127.0.0.1:1"}}}, "credentials": {"existingSecrets": {"away": "keys"}}}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(rendered(values)[("ConfigMap", "faas-faas-sidecar")]["data"]["faas.yaml"])
        file.flush()
        args = [args[0], f"--config={file.name}"]
        done = subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=60, env={})
    expect(done.returncode == 1, f"helm test fails where doctor does: {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout


def test_of_a_release() -> None:
    values = {**sidecar.MODES["functiongraph"], "tests": {"actions": ["reports/daily"]}}
    pod = rendered(values)[("Pod", "faas-faas-sidecar-doctor")]
    expect(pod["metadata"]["annotations"]["helm.sh/hook"] == "test" and pod["spec"]["restartPolicy"] == "Never", "it is run by `helm test`, once")
    [container] = pod["spec"]["containers"]
    expect(container["args"] == ["doctor", "--config=/etc/faas-sidecar/faas.yaml", "--action=reports/daily"], "it runs doctor")
    told = doctor(container["args"][:2])
    expect("credentials_missing" in told and "refuses connections" in told, f"what is wrong is told by its step: {told}")
    sources = next(each for each in pod["spec"]["volumes"] if each["name"] == "faas-sidecar-credentials")["projected"]["sources"]
    expect(len(sources) == 3 and all(source["secret"]["optional"] for source in sources), "doctor says which Secret is missing; the pod does not wait for it")
    print("helm test runs doctor with the release's configuration and credentials")


def readme() -> None:
    text = (CHART / "README.md").read_text()
    shown = (HERE / "application/templates/deployment.yaml").read_text()
    lines = [line.split("   #")[0].strip() for line in text.splitlines() if "{{- include" in line]
    expect(len(lines) == 3, "the README shows three lines")
    for line in lines:
        expect(line in shown, f"the chart that is tested has the README's line: {line}")
    print("the README's three lines are those of the chart that is tested")


def config_of(values: dict) -> dict:
    return yaml.safe_load(rendered(values)[("ConfigMap", "faas-faas-sidecar")]["data"]["faas.yaml"])


def numbers_and_addresses() -> None:
    config = config_of({"config": {"max_message_size": 67108864, "targets": {"a": {"provider": "ncp", "api_version": 2.0}}}})
    expect(config["max_message_size"] == 67108864 and isinstance(config["max_message_size"], int), "a size stays a whole number")
    expect(config["targets"]["a"]["api_version"] == "2.0", "2.0 does not become 2")
    both = config_of({"socket": {"enabled": True}, "config": {"listen": "127.0.0.1:1"}})
    expect(both["listen"] == ["unix:/run/faas-sidecar/faas.sock", "127.0.0.1:1"], "the socket comes first, so that it is the application's")
    everywhere = notes_of({"injection": {"mode": "none"}, "config": {"listen": "0.0.0.0:1", "allow_remote_clients": True}})
    expect('value: "127.0.0.1:1"' in everywhere, "an address of every interface is called at loopback")
    print("numbers and addresses reach the sidecar and the application as they were meant")


def monitoring() -> None:
    expect(
        not {"PrometheusRule", "PodMonitor"} & kinds(rendered({})) and ("ConfigMap", "faas-faas-sidecar-dashboard") not in rendered({}),
        "monitoring is off unless asked for",
    )
    on = {
        "dashboard": {"enabled": True},
        "alerts": {"enabled": True, "labels": {"release": "prometheus"}, "runbookUrl": "https://docs.example/alerts.md"},
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}, "namespaces": ["shop"]},
    }
    found = rendered({"monitoring": on, "config": {"metrics": {"listen": "0.0.0.0:9902", "allow_remote_clients": True}}})
    board = found[("ConfigMap", "faas-faas-sidecar-dashboard")]
    expect(board["metadata"]["labels"]["grafana_dashboard"] == "1", "Grafana finds the dashboard by its label")
    expect(
        board["data"]["faas-sidecar.json"].strip() == (CHART / "monitoring/dashboard.json").read_text().strip(), "the dashboard is the file's, letter by letter"
    )
    monitor = found[("PodMonitor", "faas-faas-sidecar")]
    expect(monitor["spec"]["podMetricsEndpoints"] == [{"port": "faas-metrics", "path": "/metrics", "interval": "30s"}], "the port that the containers have")
    expect(monitor["spec"]["namespaceSelector"] == {"matchNames": ["shop"]} and monitor["metadata"]["labels"]["release"] == "prometheus", "where, and for whom")
    rules = found[("PrometheusRule", "faas-faas-sidecar")]
    expect((rules["apiVersion"], monitor["apiVersion"]) == ("monitoring.coreos.com/v1",) * 2, "both are the operator's")
    expect(rules["metadata"]["labels"]["release"] == "prometheus", "Prometheus finds the rules by their label")
    source = yaml.safe_load((CHART / "monitoring/alerts.yaml").read_text())
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in (CHART.parents[1] / "docs/operations/alerts.md").read_text().splitlines()
        if line.startswith("#")
    }
    for found, written in zip(rules["spec"]["groups"][0]["rules"], source["groups"][0]["rules"], strict=True):
        page, anchor = found["annotations"].pop("runbook_url").split("#")
        expect(page == "https://docs.example/alerts.md", "a runbook's address is the one given")
        expect(anchor in anchors, f"docs/operations/alerts.md has a section for {found['alert']}")
        written["annotations"].pop("runbook_url")
        expect(found == written, f"{found['alert']} is rendered as it was tested")
    print(f"monitoring: off by default; {len(source['groups'][0]['rules'])} alerts, each with its runbook, the dashboard, the PodMonitor")


def schema_is_the_sidecars() -> None:
    expect(embed.SCHEMA.read_text() == embed.embedded(BINARY), "values.schema.json has the sidecar's schema; renew it with embed.py")
    print("the schema of the configuration is the sidecar's")


CHECKS = [
    lint,
    package,
    other_helm,
    every_value_is_commented,
    sidecar.modes,
    injection.choice,
    injection.document,
    injection.webhook,
    gateway.ways,
    gateway.run,
    gateway.refusals,
    notes,
    labels_and_names,
    test_of_a_release,
    readme,
    documents.examples,
    numbers_and_addresses,
    monitoring,
    refusals.refusals,
    schema_is_the_sidecars,
]

if __name__ == "__main__":
    application()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(check) for check in CHECKS]:
            done.result()
    print(f"helm: {len(CHECKS)} claims shown: lint, package, every mode, refusals")
