"""h2spec against a sidecar's TCP address and, through a relay, its Unix socket: every case passes but those below, each for its reason.

`h2spec.py ADDRESS SOCKET`.
"""

import asyncio
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as tree

# A path that exists; h2spec asks for it by GET, which is answered with 405 and a page.
PATH = "/grpc.health.v1.Health/Check"
CASES = 145
# They pass or fail by what comes first.
EITHER = {
    # The connection ends; whether the system says FIN or RST depends on bytes that nobody read, and h2spec takes FIN alone for an end.
    "http2/3.5: Sends invalid connection preface",
    # h2spec wants to have more streams open than it may; here each is answered, and over, at about the time in which the next one begins.
    # tests/sidecar/slow_callers.rs has as many open.
    "http2/5.1.2: Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded",
}


def judge(where, port):
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        words = ["h2spec", "--host", "127.0.0.1", "--port", str(port), "--path", PATH, "--timeout", "2", "--junit-report", report.name]
        said = subprocess.run(words, capture_output=True, text=True, timeout=300).stdout
        cases = tree.parse(report.name).getroot().iter("testcase")
        names = {kind: set() for kind in ("passed", "failure", "skipped")}
        for case in cases:
            kind = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
            names[kind.replace("error", "failure")].add(f"{case.get('package')}: {case.get('classname')}")
    failed, skipped, total = names["failure"], names["skipped"], sum(map(len, names.values()))
    told = [f"{what}: {sorted(which)}" for what, which in (("fails", failed - EITHER), ("is skipped", skipped)) if which]
    if told or total != CASES:
        raise SystemExit(f"h2spec over {where}: {total} cases, {'; '.join(told)}\n{said[-6000:]}")
    print(f"h2spec over {where}: {len(names['passed'])} of {total} cases pass, {len(failed)} may pass or fail")


async def relay(socket):
    """A TCP port whose connections go to the Unix socket."""

    async def copy(reader, writer):
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def accept(reader, writer):
        there, back = await asyncio.open_unix_connection(socket)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]


async def main(address, socket):
    judge("TCP", address.rpartition(":")[2])
    port = await relay(socket)
    await asyncio.to_thread(judge, "the Unix socket", port)


asyncio.run(main(*sys.argv[1:]))
