"""Injection: which kind is chosen, the template document, the webhook and its certificates. What it does to pods is shown in tests/e2e/kubernetes."""

import base64
import socket
import ssl
import tempfile
import threading
from pathlib import Path

import yaml

from rig import CHART, POLICY, VERSIONS, containers, expect, in_application, kinds, one, pods, rendered, restricted, template, wired

DOCUMENT = CHART.parents[1] / "src/inject/template.yaml"
WEBHOOK = {"MutatingWebhookConfiguration", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}
POLICIES = {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}
INJECTOR = "faas-faas-sidecar-injector"


def injection(mode: str, certificates: dict | None = None, **more) -> dict:
    return {"injection": {"mode": mode, **({"webhook": {"certificates": certificates}} if certificates else {}), **more}}


def choice() -> None:
    """What is made, by the mode asked for and what the cluster has; a chart that depends on this one gets neither unless it says so."""
    cases = [
        ("auto, with policies", rendered({}, apis=(POLICY,)), POLICIES),
        ("auto, with policies of an older version", rendered({}, version="1.34.0", apis=(POLICY.replace("/v1/", "/v1beta1/"),)), POLICIES),
        ("auto, without", rendered({}, version="1.29.0"), WEBHOOK),
        ("policy", rendered(injection("policy")), POLICIES),
        ("webhook, with policies", rendered(injection("webhook"), apis=(POLICY,)), WEBHOOK),
        ("none", rendered(injection("none"), apis=(POLICY,)), set()),
        ("a dependency, auto", in_application({}, apis=(POLICY,)), set()),
        ("a dependency that asks", in_application(injection("policy")), POLICIES),
    ]
    for name, found, made in cases:
        dependency = {"Deployment"} if "dependency" in name else set()
        expect((kinds(found) & (WEBHOOK | POLICIES)) - dependency == made, f"{name}: {kinds(found)}")
        document = [key for key in found if key[0] == "ConfigMap" and key[1].endswith("-template")]
        expect(bool(document) == bool(made), f"{name}: the template document goes with an injection")
    older = one(rendered({}, version="1.34.0", apis=(POLICY.replace("/v1/", "/v1beta1/"),)), "MutatingAdmissionPolicy")
    expect(older["apiVersion"].endswith("/v1beta1"), "the policy is of the version that the cluster has")
    classic = {"nativeSidecar": False}
    rendered({**injection("webhook"), **classic}, version="1.28.0")
    for name, values, version, said in [
        ("a native sidecar", {}, "1.28.15-r80", "set nativeSidecar: false"),
        ("a webhook", {**injection("webhook"), **classic}, "1.27.0", "set injection.mode: none"),
        ("anything", {}, "1.24.0", "kubeVersion"),
    ]:
        done = template(values, version=version)
        expect(done.returncode != 0 and said in done.stderr, f"{name} is refused by Kubernetes {version}: {done.stderr}")
    print(f"injection: policy where the cluster has it, else the webhook, nothing for a dependency: {len(cases)} cases")


def document() -> None:
    """The binary's own template is the chart's, byte for byte; with other values the document says them."""
    found = rendered({}, name="faas-sidecar")
    text = found[("ConfigMap", "faas-sidecar-template")]["data"]["template.yaml"]
    expect(
        text == DOCUMENT.read_text(),
        f"{DOCUMENT.relative_to(CHART.parents[1])} is what the chart renders; take it from `helm template faas-sidecar helm/faas-sidecar`",
    )
    wish = {
        "image": {"repository": "registry.example/faas", "tag": "9.9.9", "digest": "sha256:" + "0" * 64},
        "config": {
            "listen": ["[::]:50055", "127.0.0.1:50056"],
            "allow_remote_clients": True,
            "metrics": {"listen": "0.0.0.0:9902", "allow_remote_clients": True},
            "targets": {"a": {"provider": "ncp"}, "b": {"provider": "functiongraph", "region": "eu-de", "credentials": {"source": "iam_password"}}},
        },
        "credentials": {"existingSecrets": {"a": "keys", "b": "user"}},
        "nativeSidecar": False,
        "logLevel": "debug",
    }
    told = yaml.safe_load(rendered(wish)[("ConfigMap", "faas-faas-sidecar-template")]["data"]["template.yaml"])
    expect(told["image"] == {"repository": "registry.example/faas", "tag": "9.9.9", "digest": "sha256:" + "0" * 64}, "its image")
    expect((told["config"], told["listen"], told["native"], told["logLevel"]) == ("faas-faas-sidecar", "port", False, "debug"), "its defaults")
    expect(told["credentials"] == {"a": "keys", "b": "iam_password:user"}, "its Secrets, as the annotation writes them")
    expect(told["port"]["address"] == "[::1]:50055" and told["port"]["env"][1]["value"] == "[::]:50055,127.0.0.1:50056", "its addresses")
    expect(told["socket"]["env"][1]["value"] == "unix:/run/faas-sidecar/faas.sock,[::]:50055,127.0.0.1:50056", "its socket")
    expect(told["container"]["ports"] == [{"name": "faas-metrics", "containerPort": 9902}], "its port for metrics, when others can reach it")
    copies = rendered(injection("none", namespaces=["shop", "bank", "team"]))
    config = copies[("ConfigMap", "faas-faas-sidecar")]["data"]
    expect(
        all(copies[("ConfigMap", "faas-faas-sidecar", namespace)]["data"] == config for namespace in ["shop", "bank"]),
        "the configuration is in further namespaces",
    )
    print("injection: src/inject/template.yaml is the chart's rendering, byte for byte")


def webhook() -> None:
    sources = {
        "helm": {"source": "helm"},
        "cert-manager": {"source": "cert-manager"},
        "cert-manager, another issuer": {"source": "cert-manager", "issuerRef": {"kind": "ClusterIssuer", "name": "internal"}},
        "secret": {"source": "secret", "existingSecret": "own", "caBundle": "Y2E="},
    }
    for name, certificates in sources.items():
        for version in VERSIONS:
            found = rendered(injection("webhook", certificates), version=version)
            wired(name, found)
            for key, pod in pods(found).items():
                restricted(f"{name}, {key}", pod)
        [hook] = one(found, "MutatingWebhookConfiguration")["webhooks"]
        expect((hook["failurePolicy"], hook["sideEffects"], hook["timeoutSeconds"] <= 10) == ("Fail", "None", True), f"{name}: fails closed, soon")
        expect(
            hook["rules"] == [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "Namespaced"}],
            f"{name}: new pods alone",
        )
        [condition] = hook["matchConditions"]
        expect("'faas-sidecar.io/inject' in object.metadata.annotations" in condition["expression"], f"{name}: pods that ask alone")
        expect(
            hook["namespaceSelector"]["matchExpressions"][0]["values"] == ["kube-system", "kube-public", "kube-node-lease"], f"{name}: not the cluster's own"
        )
        service = found[("Service", hook["clientConfig"]["service"]["name"])]["spec"]
        expect(service["ports"][0]["port"] == hook["clientConfig"]["service"]["port"], f"{name}: the Service's port")
        pod = found[("Deployment", INJECTOR)]["spec"]
        expect(pod["replicas"] == 2 and pod["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, f"{name}: one is always there")
        mounted = {volume["name"]: volume for volume in pod["template"]["spec"]["volumes"]}["tls"]["secret"]["secretName"]
        {"h": by_helm, "c": by_manager, "s": by_secret}[name[0]](found, hook, mounted)
        [container] = containers(pod["template"])
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"]:
            expect(container[probe]["httpGet"]["scheme"] == "HTTPS", f"{name}: {probe}")
    chosen = {"matchLabels": {"faas": "yes"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    [hook] = one(rendered(injection("webhook", namespaceSelector=chosen, excludedNamespaces=["bank"])), "MutatingWebhookConfiguration")["webhooks"]
    excluded = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["bank"]}
    expect(hook["namespaceSelector"] == {**chosen, "matchExpressions": [*chosen["matchExpressions"], excluded]}, "namespaces are chosen by labels too")
    done = template(injection("webhook", {"source": "secret"}))
    expect(done.returncode != 0 and "set existingSecret" in done.stderr, f"a source without its Secret is refused: {done.stderr}")
    done = template(injection("webhook", {"validityDays": 365}))
    expect(done.returncode != 0 and "must be less than validityDays" in done.stderr, f"a certificate that is old at once is refused: {done.stderr}")
    print(f"webhook: certificates from {'; '.join(sources)}; the one by Helm is trusted by its own bundle for the Service's name")


def by_helm(found: dict, hook: dict, mounted: str) -> None:
    """The API server's side of TLS: the bundle, and the name that it calls."""
    secret = found[("Secret", mounted)]
    expect(int(secret["metadata"]["annotations"]["faas-sidecar.io/renew-after"]) > 0, "when a new one is made")
    expect("tls.key" in secret["data"] and len(secret["data"]) == 3, "the authority's key is kept nowhere")
    service = hook["clientConfig"]["service"]
    host = f"{service['name']}.{service['namespace']}.svc"
    with tempfile.TemporaryDirectory() as directory:
        for name in ["tls.crt", "tls.key"]:
            Path(directory, name).write_bytes(base64.b64decode(secret["data"][name]))
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(Path(directory, "tls.crt"), Path(directory, "tls.key"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(server, listener), daemon=True).start()
        client = ssl.create_default_context(cadata=base64.b64decode(hook["clientConfig"]["caBundle"]).decode())
        with socket.create_connection(listener.getsockname(), timeout=10) as plain, client.wrap_socket(plain, server_hostname=host) as secured:
            left = ssl.cert_time_to_seconds(secured.getpeercert()["notAfter"]) - int(secret["metadata"]["annotations"]["faas-sidecar.io/renew-after"])
            expect(364 * 86400 < left < 366 * 86400, f"a new one is made a year before the end: {left}")


def answer(server: ssl.SSLContext, listener: socket.socket) -> None:
    connection, _ = listener.accept()
    server.wrap_socket(connection, server_side=True).recv(1)


def by_manager(found: dict, hook: dict, mounted: str) -> None:
    served = found[("Certificate", INJECTOR)]["spec"]
    annotations = one(found, "MutatingWebhookConfiguration")["metadata"]["annotations"]
    expect(annotations == {"cert-manager.io/inject-ca-from": f"team/{INJECTOR}"} and "caBundle" not in hook["clientConfig"], "cert-manager fills in the bundle")
    expect(served["secretName"] == mounted and f"{INJECTOR}.team.svc" in served["dnsNames"], "its Secret and name")
    if served["issuerRef"]["kind"] == "Issuer":
        authority = found[("Certificate", f"{INJECTOR}-authority")]["spec"]
        expect(
            found[("Issuer", served["issuerRef"]["name"])]["spec"]["ca"]["secretName"] == authority["secretName"] and authority["isCA"],
            "an authority of its own",
        )
        expect(found[("Issuer", authority["issuerRef"]["name"])]["spec"] == {"selfSigned": {}}, "which signs itself")
    else:
        expect("Issuer" not in kinds(found) and served["issuerRef"]["name"] == "internal", "the issuer that was named")


def by_secret(found: dict, hook: dict, mounted: str) -> None:
    expect(mounted == "own" and hook["clientConfig"]["caBundle"] == "Y2E=" and "Secret" not in kinds(found), "the Secret and the bundle that were named")
