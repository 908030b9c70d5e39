"""One process that goes on failing; started by `__main__` with the shim, it writes a line of JSON for each round."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.torture.rounds import Machine, Outcome
from tests.torture.shells import Shells
from tests.torture.shim import Shim

BLOWS = ("kill", "fault", "power cut", "kill the shell")


def rounds(blow: str, seed: int, place: Path) -> Iterator[Outcome]:
    """Without end, but for a shell that was found wrong."""
    if blow == "kill the shell":
        return Shells(place, seed).kills()
    from tests.torture.forks import shrink, warm

    warm(place)
    shrink()
    machine = Machine(place, Shim(), seed)
    return {"kill": machine.kills, "fault": machine.faults, "power cut": machine.power_cuts}[blow]()


def main(blow: str, seed: str, place: str) -> None:
    """Tell outcomes on what was stdout; what the children print goes to a file."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["TMPDIR"] = tempfile.tempdir = place
    warnings.simplefilter("ignore")
    for outcome in rounds(blow, int(seed), folder):
        out.write(json.dumps(asdict(outcome)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
