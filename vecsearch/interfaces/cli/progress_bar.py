"""The progress of a long run, on a terminal: texts read and found by their words, then vectors made; rates and time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text


class ProgressBar:
    """Shows a line for texts from the first `begin`, one for vectors from the first `begin_vectors`; disappears at the end."""

    def __init__(self, label: str = "indexing") -> None:
        """Set up a bar; `label` names what is done, in a word."""
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), _RateColumn(),
            TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._texts = self._bar.add_task(label, total=None, count=0, what="chunks found by words")
        self._vectors: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def begin(self, total: int) -> None:
        """Set how much there is to read, in bytes or characters."""
        self._bar.reset(self._texts, total=max(1, total))

    def advance(self, amount: float, chunks: int) -> None:
        """Add what more is read, and how many more chunks are found by their words."""
        self._add(self._texts, amount, chunks)

    def begin_vectors(self, total: int) -> None:
        """Set how many chunks wait for a vector."""
        if self._vectors is None:
            self._vectors = self._bar.add_task("encoding", total=max(1, total), count=0, what="vectors")
        done = self._bar.tasks[self._vectors].fields["count"]
        self._bar.update(self._vectors, total=max(1, total + done))

    def advance_vectors(self, count: int) -> None:
        """Add how many more have one."""
        if self._vectors is not None:
            self._add(self._vectors, count, count)

    def _add(self, task: TaskID, amount: float, count: int) -> None:
        done = self._bar.tasks[task].fields["count"] + count
        self._bar.update(task, advance=amount, count=done)


class _RateColumn(ProgressColumn):
    """How many so far, of how many where these are counted, and how many a second."""

    def render(self, task: Task) -> Text:
        done, elapsed = task.fields["count"], task.finished_time or task.elapsed or 0
        rate = f", {done / elapsed:,.0f}/s" if done and elapsed else ""
        of = f" of {task.total:,.0f}" if task.fields["what"] == "vectors" and task.total else ""
        return Text(f"{done:,}{of} {task.fields['what']}{rate}", style="progress.data.speed")
