"""The shell with the real encoder, killed at random moments: what users would do to it."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

import vecsearch
from tests import maintenance
from tests.torture.check import LostError, UnopenableError, WrongAnswerError, list_waiting
from tests.torture.rounds import Outcome
from tests.torture.states import DATABASE, WORDS
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.encoders import registry

_FILES = 12
_LINES = 60
_LONGEST = 6.0  # seconds after which a command is left alone


class Shells:
    """A folder of notes that is indexed, changed and indexed again by commands that are killed."""

    def __init__(self, place: Path, seed: int) -> None:
        self._base, self._seed, self._draw = place / "shell", seed, random.Random(seed)
        shutil.rmtree(self._base, ignore_errors=True)
        (self._base / "notes").mkdir(parents=True)
        self._known: set[str] = set()  # texts that were once in a file

    def kills(self) -> Iterator[Outcome]:
        """Without end."""
        while True:
            self._seed += 1
            for number in self._draw.sample(range(_FILES), 4):
                self._change(self._base / "notes" / f"log{number}.txt")
            name = self._draw.choice(["index", "index", "index", "optimize", "optimize --full"])
            given = [name, "notes", "--split", "lines"] if name == "index" else name.split()
            killed = self._run(given, self._draw.uniform(0.2, _LONGEST))
            try:
                self._check()
            except (AssertionError, vecsearch.VecsearchError) as error:
                yield Outcome("kill the shell", name, "a random moment", killed, f"{type(error).__name__}: {error}", self._seed)
                return
            yield Outcome("kill the shell", name, "a random moment", killed, None, self._seed)

    def _change(self, file: Path) -> None:
        lines = [" ".join(self._draw.choices(WORDS, k=6)) + f" {self._draw.getrandbits(32):x}" for _ in range(_LINES)]
        self._known.update(lines)
        file.write_text("\n".join(lines))

    def _run(self, arguments: list[str], seconds: float) -> bool:
        command = [sys.executable, "-m", "vecsearch", *arguments, "-q", "--db", DATABASE]
        process = subprocess.Popen(command, cwd=self._base, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return False
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True

    def _check(self) -> None:
        """Sound; each document's lines are those of some version of its file; answers equal brute force."""
        folder = self._base / DATABASE
        if not folder.exists():
            return
        errors = maintenance.list_errors(folder)
        if errors:
            raise UnopenableError(str(errors))
        encoder = registry.load(None)
        with vecsearch.open(folder, readonly=True) as collection:
            if not len(collection):  # killed before anything was stored, perhaps before the collection was made
                return
            documents = collection.get(where={})
            lines = [(each.id, chunk, each.text[chunk.start : chunk.end]) for each in documents for chunk in each.chunks]
            if extra := [text for _, _, text in lines if text.strip() not in self._known]:
                raise LostError(f"nobody wrote {extra[0]!r}")
            if not lines:
                return
            waiting = list_waiting(collection)
            texts = [text for key, chunk, text in lines if (key, chunk.chunk_index) not in waiting]
            rows = encoder.encode_documents([format_encoder_input(None, "", text) for text in texts])
            query = " ".join(self._draw.choices(WORDS, k=4))
            best = np.sort(rows @ encoder.encode_queries([query])[0])[::-1][:10]
            found = np.array([hit.score for hit in collection.search(query, mode="dense")])
        if len(found) != len(best) or np.abs(found - best).max() > 2e-3:
            raise WrongAnswerError(f"{found} where brute force has {best}")
