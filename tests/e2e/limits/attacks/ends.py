"""Sudden ends: the process is killed under load and starts again at the same socket; the cloud stops in the middle of everything."""

import asyncio
import signal
import subprocess
import threading
import time

from calls import Caller
from rig import BINARY, MIB, Sidecar, eventually, must
from upstream import Upstream, ran

from . import attack


def load(address: str, callers: int, seconds: float):
    """Callers that call one after the other; what each call came to."""
    answers, until = [], time.monotonic() + seconds

    def main():
        with Caller(address) as caller:
            while time.monotonic() < until:
                answers.append(caller.run(timeout=4))
                if not answers[-1].ok:
                    time.sleep(0.05)

    threads = [threading.Thread(target=main) for _ in range(callers)]
    for thread in threads:
        thread.start()
    return answers, threads


@attack
def a_kill_under_load():
    """The socket that is left behind is replaced, and the same clients are answered again. No failure claims more than is known."""
    with Upstream() as upstream, Sidecar(upstream.port) as sidecar:
        with Caller(f"unix:{sidecar.socket}") as caller:
            caller.methods()
        answers, threads = load(f"unix:{sidecar.socket}", 8, 7)
        time.sleep(1.5)
        sidecar.process.kill()
        sidecar.process.wait()
        env = {"FAAS_SIDECAR_LISTEN": f"unix:{sidecar.socket}", "PATH": "/usr/bin:/bin", "NCLOUD_ACCESS_KEY_ID": "a", "NCLOUD_SECRET_ACCESS_KEY": "b",
               "HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "b"}
        began, count = time.monotonic(), len(answers)
        again = subprocess.Popen(sidecar.group.command(BINARY, "serve", "--config", sidecar.directory / "faas.yaml"), env=env, stderr=subprocess.DEVNULL)
        try:
            eventually(lambda: any(one.ok for one in answers[count + 8:]), 5, "the same clients are answered by the new process")
            took = time.monotonic() - began
            for thread in threads:
                thread.join()
            lost = [one for one in answers if not one.ok]
            must(all(one.code == "UNAVAILABLE" for one in lost), f"lost calls are UNAVAILABLE: {[str(one) for one in lost][:3]}")
        finally:
            again.send_signal(signal.SIGTERM)
            again.wait(20)
        return f"answered {took:.2f} s after the start, {len(lost)} of {len(answers)} calls lost"


@attack
def a_cloud_that_stops():
    """For some seconds nothing is answered and 64 callers go on: memory stays, and calls go well again at once."""
    stopped = threading.Event()

    async def script(request):
        while stopped.is_set():
            await asyncio.sleep(0.05)
        return ran(request)

    with Upstream(script) as upstream, Sidecar(upstream.port, target={"timeouts": {"attempt": "2s", "request": "4s"}, "breaker": {"max_open": "1s"}}) as sidecar:
        with Caller(f"127.0.0.1:{sidecar.port}") as caller:
            must(caller.run().ok, "a caller is answered before")
            before = sidecar.group.anonymous()
            stopped.set()
            answers, threads = load(f"127.0.0.1:{sidecar.port}", 64, 6)
            for thread in threads:
                thread.join()
            more = (sidecar.group.anonymous() - before) / MIB
            stopped.clear()
            must(more < 16, f"callers that wait take less than 16 MiB: {more:.1f}")
            must(all(one.reason or one.code == "DEADLINE_EXCEEDED" for one in answers if not one.ok), "each failure has a reason")
            eventually(lambda: caller.run(timeout=4).ok, 10, "calls go well again")
            sidecar.clean()
            return f"{len(answers)} calls while it stood, {more:.1f} MiB more"
