"""The gateway: what is around it, and that the container of the Deployment, run with its own environment, lets in whom it should and nobody else."""

import re
import socket
import subprocess
import tempfile
from pathlib import Path

import sidecar
from rig import BINARY, OLDEST, VERSIONS, containers, environment, expect, kinds, one, pods, rendered, restricted, template, wired

TLS = {"tls": {"existingSecret": "gateway-tls"}}
TOKEN = {"token": {"existingSecret": "gateway-tokens"}}
MANAGED = {"tls": {"certManager": {"enabled": True, "issuerRef": {"kind": "ClusterIssuer", "name": "internal"}, "dnsNames": ["faas.example"]}}}
# By its name, the values of gateway; the settings by which callers are told; what its port speaks.
WAYS = {
    "certificates": (TLS, {"TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"}, "https"),
    "certificates of another authority": (
        {"tls": {"existingSecret": "gateway-tls", "clientAuthoritySecret": "partners"}},
        {"TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"},
        "https",
    ),
    "certificates by cert-manager": (MANAGED, {"TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"}, "https"),
    "tokens": (TOKEN, {"AUTH_TOKEN_FILE"}, "kubernetes.io/h2c"),
    "tokens over TLS": ({"tls": {"existingSecret": "gateway-tls", "clients": False}, **TOKEN}, {"TLS_CERT_FILE", "TLS_KEY_FILE", "AUTH_TOKEN_FILE"}, "https"),
    "open": ({"allowOpen": True}, set(), "kubernetes.io/h2c"),
}


def values(gateway: dict) -> dict:
    return {"gateway": {"enabled": True, **gateway}, "credentials": {"existingSecrets": {"default": "keys"}}}


def ways() -> None:
    for name, (wish, settings, protocol) in WAYS.items():
        for version in VERSIONS:
            found = rendered(values(wish), version=version)
            wired(name, found)
            for key, pod in pods(found).items():
                restricted(f"{name}, {key}", pod)
        expect(
            {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"} <= kinds(found),
            f"{name}: all around it",
        )
        pod = found[("Deployment", "faas-faas-sidecar-gateway")]["spec"]["template"]
        [container] = containers(pod)
        env = environment(container)
        asked = {key.removeprefix("FAAS_SIDECAR_") for key in env if key.startswith(("FAAS_SIDECAR_TLS", "FAAS_SIDECAR_AUTH"))}
        expect(asked == settings, f"{name}: {asked}")
        expect(env["FAAS_SIDECAR_ALLOW_REMOTE_CLIENTS"] == str(name == "open").lower(), f"{name}: open when it was said")
        for service in ["", "-headless"]:
            [port] = found[("Service", f"faas-faas-sidecar-gateway{service}")]["spec"]["ports"]
            expect(port["appProtocol"] == protocol, f"{name}: its port speaks {port}")
        expect(
            found[("Service", "faas-faas-sidecar-gateway-headless")]["spec"]["clusterIP"] == "None",
            f"{name}: a headless one for clients that spread their calls",
        )
        expect("restartPolicy" not in container, f"{name}: an ordinary container")
        expect(pod["spec"]["terminationGracePeriodSeconds"] > 5 + 25, f"{name}: there is time for preStop and drain_timeout")
        expect(
            {constraint["topologyKey"] for constraint in pod["spec"]["topologySpreadConstraints"]} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"},
            f"{name}: spread",
        )
    certificate = one(rendered(values(MANAGED)), "Certificate")["spec"]
    expect(
        {"faas-faas-sidecar-gateway.team.svc", "faas-faas-sidecar-gateway-headless.team.svc", "faas.example"} <= set(certificate["dnsNames"]),
        "cert-manager makes it for its names",
    )
    mounted = [source["secret"]["name"] for source in volume(rendered(values(MANAGED)), "faas-sidecar-gateway")["projected"]["sources"]]
    expect(set(mounted) == {certificate["secretName"]}, "the pod has the certificate that cert-manager makes")
    rendered({**values(TLS), "injection": {"mode": "none"}}, version=OLDEST)
    for version, waits in [("1.29.0", False), ("1.30.0", True)]:
        gateway = one_container(rendered(values(TLS), version=version))
        expect(("lifecycle" in gateway) == waits, f"Kubernetes {version} waits before SIGTERM: {waits}")
    details()
    print(f"gateway: {len(WAYS)} ways to tell callers, each with Services, HPA, PDB, NetworkPolicy and spread, valid by Kubernetes {', '.join(VERSIONS)}")


def volume(found: dict, name: str) -> dict:
    return next(each for each in found[("Deployment", "faas-faas-sidecar-gateway")]["spec"]["template"]["spec"]["volumes"] if each["name"] == name)


def one_container(found: dict) -> dict:
    return containers(found[("Deployment", "faas-faas-sidecar-gateway")]["spec"]["template"])[0]


def details() -> None:
    fixed = rendered(values({**TLS, "autoscaling": {"enabled": False}, "replicas": 3, "networkPolicy": {"enabled": False}, "service": {"headless": False}}))
    expect(not {"HorizontalPodAutoscaler"} & kinds(fixed), "without autoscaling there is none")
    expect(
        ("NetworkPolicy", "faas-faas-sidecar-gateway") not in fixed and ("Service", "faas-faas-sidecar-gateway-headless") not in fixed,
        "what is turned off is not there",
    )
    expect(fixed[("Deployment", "faas-faas-sidecar-gateway")]["spec"]["replicas"] == 3, "replicas, without autoscaling")
    scaled = rendered(values(TLS))
    expect("replicas" not in scaled[("Deployment", "faas-faas-sidecar-gateway")]["spec"], "an upgrade leaves the autoscaler's number alone")
    network = scaled[("NetworkPolicy", "faas-faas-sidecar-gateway")]["spec"]
    expect(network["ingress"] == [{"ports": [{"port": "grpc"}], "from": [{"podSelector": {}}]}], "pods of the namespace call, at one port")
    expect(
        [rule["ports"] for rule in network["egress"]] == [[{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}], [{"port": 443}]],
        "it calls names and the clouds",
    )
    closed = rendered(values({**TLS, "networkPolicy": {"from": []}}))[("NetworkPolicy", "faas-faas-sidecar-gateway")]["spec"]
    expect("ingress" not in closed and "Ingress" in closed["policyTypes"], "a list of nobody lets in nobody")
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    watched = rendered({**values({**TLS, "networkPolicy": {"metricsFrom": [prometheus]}}), "config": {"metrics": {"listen": "0.0.0.0:9902", "allow_remote_clients": True}}})
    expect(
        watched[("NetworkPolicy", "faas-faas-sidecar-gateway")]["spec"]["ingress"][1] == {"ports": [{"port": "faas-metrics"}], "from": [prometheus]},
        "Prometheus alone reads metrics",
    )
    expect({"name": "faas-metrics", "containerPort": 9902} in one_container(watched)["ports"], "and finds their port")


def certificates(directory: Path) -> None:
    """An authority with a certificate for the gateway and one for a caller; and a caller whom that authority does not know."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, timeout=30)

    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for authority in ["ca", "stranger-ca"]:
        openssl("req", "-x509", *new, "-subj", f"/CN={authority}", "-keyout", f"{authority}.key", "-out", f"{authority}.crt")
    for name, authority in [("tls", "ca"), ("caller", "ca"), ("stranger", "stranger-ca")]:
        signed = [
            "-CA",
            f"{authority}.crt",
            "-CAkey",
            f"{authority}.key",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]
        openssl("req", "-x509", *new, "-subj", f"/CN={name}", *signed, "-keyout", f"{name}.key", "-out", f"{name}.crt")


def run() -> None:
    """The gateway's own command, environment and probe, its files below a directory."""
    called = 0
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        certificates(root)
        (root / "tokens").write_text("a-token-of-this-check\n")
        (root / "wrong").write_text("a-token-of-somebody-else\n")
        for name in ["certificates", "tokens", "tokens over TLS", "open"]:
            found = rendered(values(WAYS[name][0]))
            container = one_container(found)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]

            def moved(text: str) -> str:
                text = re.sub(r"/(etc|run|var/run/secrets)/faas-sidecar(-gateway)?", str(root), text)
                return text.replace("0.0.0.0:50051", f"0.0.0.0:{port}")

            (root / "faas.yaml").write_text(moved(found[("ConfigMap", "faas-faas-sidecar")]["data"]["faas.yaml"]))
            env = {key: moved(value) for key, value in environment(container).items()}
            with sidecar.serving([BINARY, *map(moved, container["args"])], env, [BINARY, *container["readinessProbe"]["exec"]["command"][1:]]):
                called += callers(name, root, port)
    print(f"gateway: run with its own environment; its probe needs no certificate or token; {called} calls let in or turned away as they should be")


def callers(name: str, root: Path, port: int) -> int:
    certificate = ["--cert-file", root / "caller.crt", "--key-file", root / "caller.key"]
    stranger = ["--cert-file", root / "stranger.crt", "--key-file", root / "stranger.key"]
    token, wrong = ["--token-file", root / "tokens"], ["--token-file", root / "wrong"]
    # What a caller shows, and what it is told: that there are no keys of the cloud, when it is let in. A refused certificate ends the connection.
    in_, no_tls = "CREDENTIALS_MISSING", r"refuses this client \(received fatal alert: (CertificateRequired|UnknownCA)\)"
    tried = {
        "certificates": [(certificate, in_), ([], no_tls), (stranger, no_tls)],
        "tokens": [(token, in_), ([], "CALLER_TOKEN_MISSING"), (wrong, "CALLER_TOKEN_REFUSED")],
        "tokens over TLS": [(token, in_), ([], "CALLER_TOKEN_MISSING"), (wrong, "CALLER_TOKEN_REFUSED")],
        "open": [([], in_)],
    }[name]
    tls = name in {"certificates", "tokens over TLS"}
    address = ["--address", f"https://localhost:{port}", "--ca-file", root / "ca.crt"] if tls else ["--address", f"127.0.0.1:{port}"]
    for shown, told in tried:
        answer = subprocess.run([BINARY, "invoke", "hello", "--timeout", "5s", *address, *shown], capture_output=True, text=True, timeout=30, env={})
        expect(answer.returncode == 1 and re.search(told, answer.stderr), f"{name}, {list(map(str, shown))}: told {told}: {answer.stdout}{answer.stderr}")
    return len(tried)


# Values of gateway, and what the refusal says.
REFUSED = {
    "nothing said of callers": ({}, "nothing says who may call"),
    "TLS alone": ({"tls": {"existingSecret": "t", "clients": False}}, "nothing says who may call"),
    "open, and tokens": ({"allowOpen": True, **TOKEN}, "leave one of both out"),
    "two certificates": ({"tls": {"existingSecret": "t", "certManager": MANAGED["tls"]["certManager"]}}, "leave one out"),
    "cert-manager without an issuer": ({"tls": {"certManager": {"enabled": True}}}, "name the issuer"),
    "fewer than the fewest": ({**TLS, "autoscaling": {"minReplicas": 5, "maxReplicas": 2}}, "is above maxReplicas"),
}


def refusals() -> None:
    for what, (wish, said) in REFUSED.items():
        done = template(values(wish))
        expect(done.returncode != 0 and said in done.stderr, f"gateway, {what}: refused, saying {said}: {done.stderr}")
    print(f"gateway: {len(REFUSED)} mistakes are refused; nobody gets an open one by accident")
