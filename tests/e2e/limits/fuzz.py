"""Well-formed random messages to every method, through the real edge, to both clouds' emulators and to clouds that lie.

The lying clouds stand before the emulators and spoil what these answer, or answer themselves: any status, body and headers, too much, too slow, cut off.
What must hold: every call ends in time with a message of valid protobuf or a status with details, the log has no ERROR and no panic, and the process lives
within the chart's memory. FAAS_FUZZ_SECONDS is how long (60), FAAS_FUZZ_SEED the seed; both are printed, and what failed is printed whole.
"""

import os
import random
import re
import sys
import threading
import time
from collections import Counter

import grpc
from google.protobuf import text_format

from calls import Answer, Caller
from messages import CANARY, Maker, invalid
from rig import KEYS, PROJECT, Broken, Product, Sidecar, must
from spoil import Spoiler
from upstream import Upstream

SECONDS = float(os.environ.get("FAAS_FUZZ_SECONDS", "60"))
SEED = int(os.environ.get("FAAS_FUZZ_SEED") or random.SystemRandom().randrange(1 << 32))
CALLERS = 12
DEADLINE = 3.0
# What a caller may still be told after its own deadline, on a machine with other work.
GRACE = 15.0


class Emulator(Product):
    """One emulated cloud, in a process of its own that no bound is asked of."""

    def __init__(self, cloud: str, *arguments: str):
        place = ["--region", "ap-southeast-3", "--project-id", PROJECT] if cloud == "functiongraph" else []
        super().__init__("sidecar", "emulator", "--cloud", cloud, "--listen", "127.0.0.1:0", *place, *arguments, limit=1 << 30, ready="http://127.0.0.1:")

    @property
    def port(self) -> int:
        return int(re.search(r"http://127\.0\.0\.1:(\d+)", self.out + self.log).group(1))


def judge(method: str, request, answer: Answer, took: float) -> str | None:
    """What is wrong with a call's end, if anything is."""
    if took > DEADLINE + GRACE:
        return f"it took {took:.1f} s, its deadline was {DEADLINE} s"
    if answer.ok:
        messages = answer.message if isinstance(answer.message, list) else [answer.message]
        for message in messages:
            if wrong := invalid(message):
                return f"its answer is not valid: {wrong}"
            text_format.MessageToString(message)
        return None
    if answer.reason == "SIDECAR_BUG" or "panic" in answer.text:
        return "a bug of the sidecar"
    if answer.code in ("DEADLINE_EXCEEDED", "CANCELLED") and not answer.details:
        return None  # The client's own clock was first.
    if not answer.reason or not answer.text:
        return "a failure without a reason or without words"
    if answer.facts.get("execution") not in ("not_started", "unknown", "completed"):
        return f"a failure that does not say whether anything ran: {answer.facts}"
    if (told := sum(len(name) + len(value) for name, value in answer.trailers.items())) > 16 << 10:
        return f"trailers of {told} bytes"
    if any(ord(character) < 32 and character not in "\n\t" for character in answer.text):
        return "control characters in its words"
    return None


def populate(address: str) -> None:
    """What the fuzzer's names may mean: a package, and actions in it and beside it, on both clouds."""
    limits = {"timeout": "3s", "memory_mb": 128}
    ncp = {"exec": {"runtime": "nodejs:22", "main": "main", "source": "function main(p){ return p }"}, "limits": limits, "vpc": [{"vpc_no": 1, "subnet_no": 2}]}
    functiongraph = {"exec": {"runtime": "Node.js18.15", "main": "index.handler", "source": "exports.handler = async (e, c) => e"}, "limits": limits}
    with Caller(address) as caller:
        made = [caller.call("PackageService/PutPackage", {"target": "ncp", "package_name": "Pack_2"})]
        for target, action in [("ncp", ncp), ("functiongraph", functiongraph)]:
            # NCP gives a name once in an account, whatever it names.
            for package, name in [("", "hello"), ("", "a"), ("Pack_2", "index")]:
                made.append(caller.call("ActionService/PutAction", {"target": target, "package_name": package, "action_name": name, "action": action}))
        made.append(caller.call("TriggerService/PutTrigger", {"target": "ncp", "trigger_name": "b-1", "trigger": {"cron": {"cron_option": "0 0 * * *"}}}))
        must(all(answer.ok for answer in made), f"the emulators take what they are given first: {[str(answer) for answer in made if not answer.ok][:2]}")


class Fuzzer:
    """Callers on threads, each with random numbers of its own, until the time is over or the process is."""

    def __init__(self, sidecar: Sidecar, addresses: list[str]):
        self.sidecar, self.addresses = sidecar, addresses
        self.until, self.found, self.counts, self.codes = time.monotonic() + SECONDS, {}, Counter(), Counter()

    def main(self, number: int) -> None:
        dice = random.Random(f"{SEED} {number}")
        with Caller(self.addresses[number % len(self.addresses)]) as caller:
            methods = caller.methods()
            maker = Maker(dice)
            while time.monotonic() < self.until:
                method = dice.choice(sorted(methods))
                request = maker.message(methods[method].input_type)
                how = {"compression": grpc.Compression.Gzip} if dice.random() < 0.2 else {}
                began = time.monotonic()
                answer = caller.call(method, message=request, timeout=DEADLINE, metadata=maker.metadata(), **how)
                maker.learn(answer.message)
                self.counts[method] += 1
                self.codes[answer.code] += 1
                if wrong := judge(method, request, answer, time.monotonic() - began):
                    self.found.setdefault(wrong[:40], f"{method}: {wrong}\nrequest: {shown(request)}\nanswer: {answer} {str(answer.message)[:500]}")

    def run(self) -> None:
        threads = [threading.Thread(target=self.main, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.5)
            try:
                self.sidecar.alive()
            except Broken as why:
                self.found[str(why)] = str(why)
                self.until = 0
        for thread in threads:
            thread.join()


def shown(request) -> str:
    """A request such that it can be sent again, long texts cut."""
    short = type(request)()
    short.CopyFrom(request)
    shorten(short)
    return text_format.MessageToString(short, as_one_line=True)[:2000]


def shorten(message) -> None:
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING and not field.is_repeated and len(value) > 80:
            setattr(message, field.name, f"{value[:60]}… {len(value)} characters")
        elif field.type == field.TYPE_BYTES and not field.is_repeated:
            setattr(message, field.name, value[:20])
        elif field.message_type and not field.message_type.GetOptions().map_entry:
            for one in value if field.is_repeated else [value]:
                shorten(one)


def main() -> int:
    print(f"fuzzing every method for {SECONDS:.0f} s with FAAS_FUZZ_SEED={SEED}", flush=True)
    with Emulator("ncp") as ncp, Emulator("functiongraph") as functiongraph:
        spoilers = {name: Spoiler(random.Random(f"{SEED} {name}"), port) for name, port in [("ncp", ncp.port), ("functiongraph", functiongraph.port)]}
        with Upstream(spoilers["ncp"].answer) as lying_ncp, Upstream(spoilers["functiongraph"].answer) as lying_functiongraph:
            place = {"provider": "functiongraph", "region": "ap-southeast-3", "project_id": PROJECT}
            calm = {"retry": {"max_attempts": 2}, "breaker": {"enabled": False}, "limits": {"adaptive_rate": False}}

            def target(port: int, **more) -> dict:
                return {"provider": "ncp", "base_url": f"http://127.0.0.1:{port}", **calm, **more}

            clouds = {
                "ncp": target(ncp.port), "ncp20": target(ncp.port, api_version="2.0"), "functiongraph": target(functiongraph.port, **place),
                "lying-ncp": target(lying_ncp.port), "lying-ncp20": target(lying_ncp.port, api_version="2.0"), "lying-functiongraph": target(lying_functiongraph.port, **place),
            }
            with Sidecar(ncp.port, targets=clouds) as sidecar:
                populate(f"unix:{sidecar.socket}")
                fuzzer = Fuzzer(sidecar, [f"127.0.0.1:{sidecar.port}", f"unix:{sidecar.socket}"])
                fuzzer.run()
                problems = list(fuzzer.found.values())
                try:
                    sidecar.clean()
                    longest = max(map(len, sidecar.log.splitlines()))
                    must(longest < 8192, f"log lines are bounded: {longest}")
                    told = [secret for name, secret in [("", CANARY), *KEYS.items()] if secret in sidecar.log and not name.endswith(("KEY_ID", "AK"))]
                    must(not told, f"the log holds no argument, no code and no secret key: {told}")
                    strange = [target for spoiler in spoilers.values() for target in spoiler.strange]
                    must(not strange, f"only paths of the clouds' APIs are asked for: {strange[:5]}")
                    missed = set(Caller(fuzzer.addresses[0]).methods()) - set(fuzzer.counts)
                    must(not missed or SECONDS < 20, f"every method is called: not {sorted(missed)}")
                except Broken as why:
                    problems.append(str(why))
                used = sidecar.used()
    total = sum(fuzzer.counts.values())
    print(f"{total} calls of {len(fuzzer.counts)} methods, lies told: {sum(spoiler.told for spoiler in spoilers.values())}, codes: {dict(fuzzer.codes.most_common())}; {used}")
    for problem in problems[:20]:
        print(f"FOUND with FAAS_FUZZ_SEED={SEED}: {problem}")
    return min(1, len(problems))


if __name__ == "__main__":
    sys.exit(main())
