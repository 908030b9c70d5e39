"""A look inside the model from a cold shell, beside a search; and how far attention agrees with leave-one-out.

    python -m benchmarks.inspecting --rounds 7
    python -m benchmarks.inspecting --wic ../shared/data/wic/wic.dev.tsv --sentences 204

The first prints seconds, of the processor too (with some .03 s of what starts it), and peak memory, the commands
taking turns. The second prints Spearman's ρ between
attention and leave-one-out: the figure that `inspect` prints beside attention.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import vecsearch
from benchmarks.cold import LAUNCH_SCRIPT

TEXTS: Final = ("The fashion model walked the runway", "The machine learning model was trained on data")
WORDS_MIN: Final = 5  # of a sentence whose words are ranked
COMMANDS: Final[Mapping[str, Sequence[str]]] = {
    "nothing": ("--version",),
    "search": ("search", "a bank of the river"),
    "inspect": ("inspect", *TEXTS),
    "inspect --svg": ("inspect", *TEXTS, "--svg", os.devnull),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--wic", type=Path, help="a file of WiC, whose first sentences are measured instead")
    parser.add_argument("--sentences", type=int, default=204)
    args = parser.parse_args()
    if args.wic is not None:
        print_correlation(args.wic, args.sentences)
    else:
        print_cold_starts(args.rounds)


def print_cold_starts(rounds: int) -> None:
    """Run each command once before it counts, then all in turn."""
    with tempfile.TemporaryDirectory() as folder:
        with vecsearch.open(Path(folder) / ".vecsearch") as collection:
            collection.add([*TEXTS, "a bank of the river", "a bank that lends money"])
        runs = {name: [run_command(arguments, folder)] for name, arguments in COMMANDS.items()}
        for _ in range(rounds):
            for name, arguments in COMMANDS.items():
                runs[name].append(run_command(arguments, folder))
    print(f"{'command':<14} {'wall s':>7} {'least':>7} {'CPU s':>7} {'least':>7} {'MB':>6}   (medians of {rounds})")
    for name, measured in runs.items():
        wall, cpu, memory = zip(*measured[1:], strict=True)
        times = f"{statistics.median(wall):7.2f} {min(wall):7.2f} {statistics.median(cpu):7.2f} {min(cpu):7.2f}"
        print(f"{name:<14} {times} {max(memory):6.0f}")


def run_command(arguments: Sequence[str], folder: str) -> tuple[float, float, float]:
    """Return the seconds, the processor's seconds and the peak memory in MB of a command in a process of its own.

    A small process starts it, since what is started inherits the peak of what started it.
    """
    command = [sys.executable, "-c", LAUNCH_SCRIPT, sys.executable, "-m", "vecsearch", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, memory, status = json.loads(done.stdout)
    if status != 0:
        raise SystemExit(f"vecsearch {' '.join(arguments)} failed: {done.stderr}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, memory


def print_correlation(file: Path, count: int) -> None:
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    inspected = (vecsearch.inspect(row["sentence1"], leave_one_out=True) for row in rows)
    sentences = islice((look for look in inspected if len(look.texts[0].words) >= WORDS_MIN), count)
    values = [look.attention_correlation for look in sentences if look.attention_correlation is not None]
    deviation = statistics.stdev(values) / len(values) ** 0.5
    print(f"mean ρ over {len(values)} sentences: {statistics.mean(values):.3f} (standard error {deviation:.3f})")


if __name__ == "__main__":
    main()
