"""The injector: unauthenticated bodies from anywhere in the cluster, in the chart's 64 MiB, and pods made to be costly."""

import http.client
import json
import shutil
import socket
import ssl
import tempfile
import threading
import time
from pathlib import Path

from rig import MIB, Product, certificate, eventually, must

from . import attack

ASKS = {"faas-sidecar.io/inject": "true"}


def review(metadata: dict | None = None, **spec) -> bytes:
    """An AdmissionReview of a pod that asks for the sidecar."""
    pod = {"metadata": {"name": "pod", "annotations": ASKS, **(metadata or {})}, "spec": {"containers": [{"name": "app", "image": "app"}], **spec}}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "resource": {"group": "", "version": "v1", "resource": "pods"}, "operation": "CREATE", "namespace": "n", "object": pod}}, separators=(",", ":")).encode()


class Injector(Product):
    """The webhook with a certificate of its own."""

    def __init__(self):
        self.files = Path(tempfile.mkdtemp(prefix="faas-limits-"))
        chain, key, authority = certificate(self.files)
        self.context = ssl.create_default_context(cafile=str(authority))
        super().__init__("injector", "injector", "--listen", "127.0.0.1:0", "--cert-file", chain, "--key-file", key, ready='"address"')

    def connect(self) -> ssl.SSLSocket:
        return self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout=15), server_hostname="localhost")

    def begin(self, length: int, body: bytes) -> ssl.SSLSocket:
        """Sends a request's head and a part of its body."""
        one = self.connect()
        one.sendall(b"POST /inject HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % length)
        one.settimeout(3)
        try:
            one.sendall(body)
        except OSError:
            pass  # It takes no more of it, which is its right.
        return one

    def post(self, body: bytes) -> tuple[int, str]:
        """The answer to one whole request; status 0 when the connection ends without one."""
        client = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=20)
        client._create_connection = lambda *_, **__: socket.create_connection(("127.0.0.1", self.port), timeout=20)
        try:
            client.request("POST", "/inject", body, {"content-type": "application/json"})
            answer = client.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except OSError as why:
            return 0, str(why)
        finally:
            client.close()

    def serves(self, seconds: float = 15) -> None:
        """An ordinary pod gets its sidecar, if need be after a word on when to come again."""
        def patched():
            status, body = self.post(review())
            must(status in (0, 200, 429, 503), f"an ordinary pod is answered or told to come again: {status} {body[:200]}")
            return status == 200 and json.loads(body)["response"].get("patch")

        eventually(patched, seconds, "an ordinary pod gets its sidecar")
        self.clean()

    def close(self) -> None:
        super().close()
        shutil.rmtree(self.files, ignore_errors=True)


@attack
def pods_that_are_costly():
    """As large as the API server takes, each by another member."""
    large = {
        "75,000 containers": review(containers=[{"name": f"c{number}"} for number in range(75_000)]),
        "140,000 containers": review(containers=[{"name": f"c{number}"} for number in range(140_000)]),
        "75,000 init containers": review(initContainers=[{"name": f"c{number}"} for number in range(75_000)]),
        "75,000 volumes": review(volumes=[{"name": f"v{number}"} for number in range(75_000)]),
        "100,000 variables": review(containers=[{"name": "app", "env": [{"name": f"V{number}"} for number in range(100_000)]}]),
        "100,000 mounts": review(containers=[{"name": "app", "volumeMounts": [{"name": f"v{number}"} for number in range(100_000)]}]),
        "100,000 annotations": review({"annotations": {**ASKS, **{f"a{number}": "" for number in range(100_000)}}}),
        "an annotation of 2.8 MB": review({"annotations": {**ASKS, "faas-sidecar.io/credentials": "a=b," * 700_000}}),
        "100,000 annotations of ours": review({"annotations": {**ASKS, **{f"faas-sidecar.io/x{number}": "" for number in range(90_000)}}}),
        "a list of 1,400,000 numbers": review({"labels": [1] * 1_400_000}),
        "700,000 empty objects": review(tolerations=[{}] * 900_000),
        "a tree of arrays": review({"x": 0}).replace(b'"x":0', b'"x":' + b"[" * 1_000_000 + b"]" * 1_000_000),
        "keys that are there twice": review({"x": 0}).replace(b'"x":0', b'"x":0,' * 300_000 + b'"x":0'),
        "strings of escapes": review({"x": ""}).replace(b'"x":""', b'"x":"' + rb"\u0001" * 460_000 + b'"'),
    }
    with Injector() as injector:
        for name, body in large.items():
            must(len(body) <= 3 * MIB, f"{name}: at most 3 MiB, as the API server takes: {len(body)}")
            status, said = injector.post(body)
            injector.alive()
            must(status, f"{name} is answered: {said}")
            if status == 200:
                response = json.loads(said)["response"]
                must(response["allowed"] or len(response["status"]["message"]) > 20, f"{name}: refused with a sentence: {said[:200]}")
                must(len(said) < MIB, f"{name}: the answer is small: {len(said)}")
            else:
                must(status in (400, 413, 422) and 20 < len(said) < 4096, f"{name}: refused with a sentence: {status} {said[:200]}")
        injector.serves()
        return injector.used()


@attack
def costly_pods_at_once():
    body = review(containers=[{"name": f"c{number}", "env": [{"name": "A"}] * 10} for number in range(190)], volumes=[{"name": f"v{number}", "x": "y" * 5000} for number in range(150)])
    with Injector() as injector:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(injector.post(body))) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        injector.alive()
        odd = [one for one in answers if one[0] not in (200, 400, 429, 503)]
        must(not odd, f"each is answered, or told to come again: {odd[:2]}")
        injector.serves()
        return f"{sum(one[0] == 200 for one in answers)} of 40 of {len(body) / MIB:.1f} MiB answered: {injector.used()}"


def bodies(count: int, length: int, body: bytes):
    """Bodies that begin and never end; who asks afterwards is answered, at the latest when their time is over."""
    with Injector() as injector:
        opened, began = [], time.monotonic()
        lock = threading.Lock()

        def begin():
            try:
                one = injector.begin(length, body)
                with lock:
                    opened.append(one)
            except OSError:
                pass  # Refused.

        threads = [threading.Thread(target=begin) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        threading.Event().wait(1)  # It takes in what the sockets hold.
        injector.alive()
        injector.serves(25)
        took = time.monotonic() - began
        for one in opened:
            one.close()
        return f"{count} bodies of {len(body) / MIB:.1f} MiB, an ordinary pod after {took:.1f} s: {injector.used()}"


@attack
def large_bodies_that_do_not_end():
    return bodies(16, 3 * MIB, b'{"kind":"' + b"x" * (3 * MIB - 1000))


@attack
def larger_bodies_that_do_not_end():
    return bodies(16, 8 * MIB, b'{"kind":"' + b"x" * (8 * MIB - 1000))


@attack
def slow_bodies():
    return bodies(300, 3 * MIB, b'{"kind":"' + b"x" * 100_000)


@attack
def bodies_without_a_length():
    """Chunked, without end."""
    with Injector() as injector:
        opened = []
        for _ in range(16):
            one = injector.connect()
            one.settimeout(2)
            opened.append(one)
            try:
                one.sendall(b"POST /inject HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
                for _ in range(100):
                    one.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
            except OSError:
                pass
            injector.alive()
        injector.serves(25)
        for one in opened:
            one.close()
        return injector.used()


@attack
def handshakes_that_do_not_end():
    with Injector() as injector:
        opened = []
        for _ in range(600):
            try:
                one = socket.create_connection(("127.0.0.1", injector.port), timeout=1)
                one.sendall(b"\x16\x03\x01\x02")
                opened.append(one)
            except OSError:
                break
        injector.serves(25)
        for one in opened:
            one.close()
        return f"{len(opened)} connections: {injector.used()}"
