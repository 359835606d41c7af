"""Every attack against a fresh process in a memory cgroup of the chart's size; a table of what held. `check.py [WORD…]` runs those whose name has a word."""

import os
import resource
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import attacks
from memory_group import controller
from rig import BINARY, Broken

AT_ONCE = int(os.environ.get("FAAS_LIMITS_AT_ONCE", "3"))


def main(words: list[str]) -> int:
    version, _ = controller()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 1 << 16)), hard))
    chosen = [attack for attack in attacks.every() if not words or any(word in attack.__name__ for word in words)]
    if not chosen:
        sys.exit(f"no attack is named like {' '.join(words)}")
    print(f"{len(chosen)} attacks on {BINARY}, memory cgroups of version {version}, {AT_ONCE} at once")
    # Most of an attack is waiting, so three go on at once.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        withstood = sum(pool.map(withstands, chosen))
    print(f"limits: {withstood} of {len(chosen)} attacks were withstood")
    return min(len(chosen) - withstood, 1)


def withstands(attack) -> bool:
    """Runs one attack and tells in a line how it ended."""
    began, why, seen = time.monotonic(), "", ""
    try:
        seen = attack() or ""
    except Broken as failure:
        why = str(failure).strip()
    except Exception:  # The attack itself failed: the rest still runs, and the whole fails.
        why = f"the attack itself failed: {traceback.format_exc()}"
    print(f"{'BROKEN' if why else 'holds '} {attack.__name__:44} {time.monotonic() - began:5.1f} s  {why or seen}", flush=True)
    return not why


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
