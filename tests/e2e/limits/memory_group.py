"""A memory cgroup with a limit, as a container runtime makes one: version 1 or 2, as root. Where none can be made, it says why and ends the run."""

import os
import sys
import threading
import time
from pathlib import Path

MIB = 1 << 20
ROOT = Path("/sys/fs/cgroup")
COUNTER = iter(range(1 << 30))


def impossible(why: str) -> None:
    sys.exit(f"no memory cgroup can be made, so nothing is proven: {why}. Run this as root, where /sys/fs/cgroup can be written.")


def controller() -> tuple[int, Path]:
    """The version, and the directory in which groups are made."""
    if os.geteuid() != 0:
        impossible("this is not root")
    if (ROOT / "memory/memory.limit_in_bytes").exists() or (ROOT / "memory/cgroup.procs").exists():
        return 1, ROOT / "memory"
    if not (ROOT / "cgroup.controllers").exists():
        impossible(f"{ROOT} is neither version 1 with the controller memory nor version 2")
    if "memory" not in (ROOT / "cgroup.controllers").read_text().split():
        impossible(f"{ROOT}/cgroup.controllers does not name memory")
    hand_down(ROOT)
    return 2, ROOT


def hand_down(parent: Path) -> None:
    """Version 2: lets groups below have the controller. A group other than the true root may then hold no process itself."""
    switch = parent / "cgroup.subtree_control"
    if "memory" in switch.read_text().split():
        return
    try:
        switch.write_text("+memory")
    except OSError:
        try:
            inner = parent / "faas-sidecar-others"
            inner.mkdir(exist_ok=True)
            for process in (parent / "cgroup.procs").read_text().split():
                try:
                    (inner / "cgroup.procs").write_text(process)
                except OSError:
                    pass  # It ended, or is the kernel's.
            switch.write_text("+memory")
        except OSError as why:
            impossible(f"{switch}: {why}")


class MemoryGroup:
    """One container's memory, without swap. Use it as a context: it is removed at the end, when its processes have ended."""

    def __init__(self, limit: int):
        self.version, parent = controller()
        self.limit = limit
        self.path = parent / f"faas-sidecar-limits-{os.getpid()}-{next(COUNTER)}"
        try:
            self.path.mkdir()
            self.write("memory.limit_in_bytes" if self.version == 1 else "memory.max", limit)
        except OSError as why:
            impossible(f"{self.path}: {why}")
        for swap, value in [("memory.memsw.limit_in_bytes", limit), ("memory.swap.max", 0)]:
            if (self.path / swap).exists():
                self.write(swap, value)
        self.most = 0
        self.ended = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def write(self, name: str, value: object) -> None:
        (self.path / name).write_text(str(value))

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def command(self, *arguments: object) -> list[str]:
        """The command that runs a program inside the group from its first instruction on."""
        return ["sh", "-c", f'echo $$ >{self.path}/cgroup.procs && exec "$@"', "sh", *map(str, arguments)]

    def anonymous(self) -> int:
        """Bytes of memory that cannot be taken back now: heap and stacks, without file pages."""
        wanted = "total_rss" if self.version == 1 else "anon"
        return next(int(line.split()[1]) for line in self.read("memory.stat").splitlines() if line.split()[0] == wanted)

    def peak(self) -> int:
        """The most bytes that were charged at any time, file pages and the kernel's included, as the kernel counted them."""
        for name in ["memory.max_usage_in_bytes", "memory.peak"]:
            if (self.path / name).exists():
                return int(self.read(name))
        return self.most  # Version 2 before Linux 5.19 keeps no peak.

    def kills(self) -> int:
        """Processes of the group that the kernel ended for want of memory."""
        events = self.read("memory.oom_control" if self.version == 1 else "memory.events")
        return sum(int(line.split()[1]) for line in events.splitlines() if line.split()[0] == "oom_kill")

    def watch(self) -> None:
        while not self.ended.wait(0.02):
            try:
                self.most = max(self.most, self.anonymous())
            except (OSError, StopIteration):
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.watcher.join()
        for _ in range(250):
            try:
                self.path.rmdir()
                return
            except OSError:
                time.sleep(0.02)
        print(f"{self.path} cannot be removed: a process is left in it", file=sys.stderr)
