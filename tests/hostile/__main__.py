"""Run attacks for a time and count the outcomes.

python -m tests.hostile --minutes 30 --kinds checkpoints,commands,corpora --seed 1
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests.hostile import checkpoints, commands, corpora
from tests.hostile.attack import BAD, Attack, Outcome, run

KINDS = {"checkpoints": checkpoints, "commands": commands, "corpora": corpora}


def main() -> int:
    """Attack until the time is up; 1 if any outcome is bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10**9, help="attacks of each kind, at most")
    parser.add_argument("--patience", type=float, default=1.0, help="times the limits of time")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    bad = 0
    for kind in kinds:
        until = time.monotonic() + 60 * options.minutes / len(kinds)
        bad += campaign(kind, options.seed, until, options.count, options.patience)
    return int(bad > 0)


def campaign(kind: str, seed: int, until: float, count: int, patience: float) -> int:
    """The number of bad outcomes of attacks of one kind."""
    outcomes: Counter[str] = Counter()
    slowest = peak = 0.0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CHARRNN_CACHE"] = f"{folder}/cache"
        place = Path(folder)
        for number, attack in enumerate(KINDS[kind].attacks(place, seed)):
            if number >= count or time.monotonic() > until:
                break
            outcome = run(replace(attack, seconds=patience * attack.seconds))
            outcomes[outcome.name] += 1
            slowest, peak = max(slowest, outcome.seconds), max(peak, outcome.peak / 2**20)
            if outcome.name in BAD:
                _report(attack, outcome)
    total = sum(outcomes.values())
    counts = ", ".join(f"{name} {n:,}" for name, n in outcomes.most_common())
    sys.stdout.write(f"{kind}: {total:,} ({counts}); slowest {slowest:.1f} s, {peak:.0f} MB\n")
    return sum(outcomes[name] for name in BAD)


def _report(attack: Attack, outcome: Outcome) -> None:
    last = outcome.stderr.strip().splitlines()[-1:] or [""]
    arguments = " ".join(map(repr, attack.arguments))
    sys.stdout.write(f"{outcome.name}: {attack.note}\n  {arguments}\n  {last[0][:200]}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
