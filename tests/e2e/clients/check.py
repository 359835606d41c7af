"""Runs the examples and checks what they print against what the sidecar and the cloud saw. Arguments: folders of examples/ (default: all)."""

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from itertools import product
from pathlib import Path

from rig import Rig

EXAMPLES = Path("examples")
# What is expected, and the rig for it. In the last one the cloud answers 503 to the action `missing`, which may have run for all that anybody knows.
COMBINATIONS = [("ncp", "ncp", "tcp"), ("ncp", "ncp", "unix"), ("functiongraph", "functiongraph", "tcp"), ("functiongraph", "functiongraph", "unix"),
                ("outage", "ncp", "tcp", "status=503,path=/missing")]
# Installing and compiling, on two slow cores.
PATIENCE = 900
# The pauses that the sidecar names here are 0.25 to 0.75 s; the policy's own begins at 2 s, and libraries take down to a fifth less.
PAUSE, OWN_PAUSE = 0.2, 1.5
# invoke, deadline, cancel, missing, busy's slow call, retry, request_id, trace.
RUNS = 8


def plain(output):
    """The printed lines, with codes in one spelling, whichever the language has, and the trace id and the sidecar's pause masked."""
    found = re.search(r"^trace: ([0-9a-f]{32})$", output, re.M)
    lines = output.replace("ACTIVATION_STATUS_", "").splitlines()
    for number, line in enumerate(lines):
        step, _, text = line.partition(": ")
        if step == "trace" and found:
            text = "TRACE"
        # NotFound, DEADLINE_EXCEEDED: the first word of the steps that print a code.
        elif step in ("connect", "deadline", "cancel", "faults", "missing", "busy") and "." not in text:
            text = re.sub(r"^\w+?(?=\b)", lambda word: spelt(word.group()), text)
        if step == "busy":
            text = re.sub(r"again in \d+ ms", "again in PAUSE ms", text)
        lines[number] = f"{step}: {text}"
    return lines, found and found.group(1)


def spelt(word):
    """NotFound and NOT_FOUND as NOT_FOUND, Go's Canceled as CANCELLED; a name in small letters, such as a field's, as it is."""
    return word if word.islower() else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper().replace("CANCELED", "CANCELLED")


def same(what, seen, expected):
    assert seen == expected, f"{what}: {seen}, expected {expected}"


def check(rig, expected, output):
    lines, trace = plain(output)
    expected = EXAMPLES / "expected" / f"{expected}.txt"
    difference = "\n".join(unified_diff(expected.read_text().splitlines(), lines, str(expected), "printed", lineterm=""))
    assert not difference, difference

    calls = rig.calls("InvocationService/Invoke")
    cancelled = [round(call["end"] - call["start"], 1) for call in calls if call["code"] == "CANCELLED"]
    assert len(cancelled) == 1 and 0.3 < cancelled[0] < 2.5, f"calls that the sidecar saw cancelled, in seconds: {cancelled}, expected one of 0.5"

    # The first refusal is that of the channel without a policy; behind each other one the library's repetition follows.
    refused = [call for call in calls if call.get("reason") == "QUEUE_TIMEOUT"]
    assert len(refused) > 1, f"the call that must be repeated was not refused: {calls}"
    for refusal in refused[1:]:
        pause = min(call["start"] for call in calls if call["start"] > refusal["end"]) - refusal["end"]
        assert PAUSE < pause < OWN_PAUSE, f"repeated after {pause:.3f} s, not the sidecar's pause"

    # In an outage a run is UNAVAILABLE: it may have run for all that anybody knows, and nobody repeats it.
    same("calls of the action `missing`", len([call for call in calls if call["subject"].endswith("/missing")]), 1)
    runs = rig.runs()
    same("runs that the cloud got", len(runs), RUNS)
    assert trace in [call.get("trace_id") for call in calls], "the sidecar's log does not have the trace id"
    parents = [value for run in runs for name, value in run["headers"] if name == "traceparent"]
    assert any(trace in parent for parent in parents), "the cloud did not get the trace id"
    return len(lines), len(refused) - 1


def run(program, expected, cloud, transport, *faults):
    with tempfile.TemporaryDirectory() as work:
        with Rig(Path(work), cloud, transport, *faults) as rig:
            # ncp is the default target of the configuration; one of the runs leaves it at that.
            env = {"FAAS_SIDECAR_ADDRESS": rig.address} | ({} if expected == "outage" else {"FAAS_TARGET": cloud})
            done = subprocess.run([program], env=os.environ | env, capture_output=True, text=True, timeout=PATIENCE)
        try:
            same("exit code", done.returncode, 0)
            return check(rig, expected, done.stdout)
        except AssertionError as error:
            log = (Path(work) / "serve.err").read_text()
            raise SystemExit(f"{program}, {expected}, {transport}: {error}\n-- printed\n{done.stdout}{done.stderr}\n-- the sidecar's log\n{log}")


def promised():
    """The folders that the table of the README names, which must be those that are there."""
    rows = re.findall(r"^\| \[`(\w+)`\]\(\w+\) \|", (EXAMPLES / "README.md").read_text(), re.M)
    same("folders with a run, and rows of examples/README.md", sorted(path.parent.name for path in EXAMPLES.glob("*/run")), sorted(rows))
    return sorted(rows)


folders = sys.argv[1:] or promised()
programs = sorted(path for folder in folders for path in (EXAMPLES / folder).glob("run*"))
assert len(programs) >= len(folders) > 0, f"no program for some of {folders}"
results = []
# The first run of each prepares what its others use.
for program in programs:
    began = time.monotonic()
    results.append(run(program, *COMBINATIONS[0]))
    print(f"{program.parent.name}/{program.name}: as expected over TCP on ncp, prepared and run in {time.monotonic() - began:.0f} s", flush=True)
# They mostly sleep; side by side are different programs, since a second one of the heaviest would make both late by nobody's fault.
with ThreadPoolExecutor(os.cpu_count()) as pool:
    results += pool.map(lambda case: run(case[1], *case[0]), product(COMBINATIONS[1:], programs))
printed, repeated = map(sum, zip(*results))
print(f"clients: {len(programs)} programs in {len(folders)} languages, both clouds, TCP and Unix socket, and an outage: {printed} lines as expected, "
      f"{repeated} repetitions at the sidecar's pause, every trace seen by sidecar and cloud, {len(results) * RUNS} runs and not one more")
