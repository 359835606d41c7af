"""Every attack against a fresh process in a memory cgroup of the chart's size; a table of what held. `check.py [WORD…]` runs those whose name has a word."""

import resource
import sys
import time
import traceback

import attacks
from memory_group import controller
from rig import BINARY, Broken


def main(words: list[str]) -> int:
    version, _ = controller()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 1 << 16)), hard))
    chosen = [attack for attack in attacks.every() if not words or any(word in attack.__name__ for word in words)]
    if not chosen:
        sys.exit(f"no attack is named like {' '.join(words)}")
    print(f"{len(chosen)} attacks on {BINARY}, memory cgroups of version {version}")
    broken = 0
    for attack in chosen:
        began, why = time.monotonic(), ""
        try:
            seen = attack() or ""
        except Broken as failure:
            why, seen = str(failure).strip(), ""
        except Exception:  # The attack itself failed: the rest still runs, and the whole fails.
            why, seen = f"the attack itself failed: {traceback.format_exc()}", ""
        broken += bool(why)
        print(f"{'BROKEN' if why else 'holds '} {attack.__name__:44} {time.monotonic() - began:5.1f} s  {why or seen}", flush=True)
    print(f"limits: {len(chosen) - broken} of {len(chosen)} attacks were withstood")
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
