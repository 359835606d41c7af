"""The certificate that Helm makes for the webhook: kept by upgrades, made anew when its time has come, and both authorities trusted then."""

import base64
import subprocess
from pathlib import Path

from cluster import Cluster, expect

NAME = "release-faas-sidecar-injector"


def renewal(cluster: Cluster, chart: Path, namespace: str) -> None:
    values = {"injection": {"mode": "webhook"}}
    cluster.install("release", chart, namespace, values)
    first = made(cluster, namespace)
    cluster.install("release", chart, namespace, {**values, "logLevel": "debug"})
    expect(made(cluster, namespace) == first, "an upgrade keeps the certificate")
    cluster.kubectl("annotate", "secret", f"{NAME}-tls", "-n", namespace, "--overwrite", "faas-sidecar.io/renew-after=1")
    cluster.install("release", chart, namespace, values)
    second = made(cluster, namespace)
    expect(second["tls.crt"] != first["tls.crt"] and second["tls.key"] != first["tls.key"], "an upgrade after that time makes a new one")
    for name, certificate in [("the old", first), ("the new", second)]:
        expect(trusted(cluster.work, second["ca.crt"], certificate["tls.crt"], f"{NAME}.{namespace}.svc"), f"{name} certificate is trusted after the upgrade")
    expect(not trusted(cluster.work, first["ca.crt"], second["tls.crt"], f"{NAME}.{namespace}.svc"), "the new one is of a new authority")
    hook = cluster.get("mutatingwebhookconfiguration", "release-faas-sidecar")["webhooks"][0]
    expect(base64.b64decode(hook["clientConfig"]["caBundle"]) == second["ca.crt"], "the API server has that bundle")
    cluster.helm("uninstall", "release", "-n", namespace)
    print("the webhook's certificate: kept by an upgrade, made anew after its time, the one before trusted meanwhile")


def made(cluster: Cluster, namespace: str) -> dict[str, bytes]:
    data = cluster.get("secret", f"{NAME}-tls", "-n", namespace)["data"]
    return {name: base64.b64decode(text) for name, text in data.items()}


def trusted(work: Path, authorities: bytes, certificate: bytes, host: str) -> bool:
    for name, content in [("authorities.pem", authorities), ("certificate.pem", certificate)]:
        (work / name).write_bytes(content)
    command = ["openssl", "verify", "-verify_hostname", host, "-purpose", "sslserver", "-CAfile", work / "authorities.pem", work / "certificate.pem"]
    return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
