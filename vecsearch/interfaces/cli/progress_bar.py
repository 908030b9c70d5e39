"""The progress of a long run, on a terminal, with rate and time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class ProgressBar:
    """Shows itself from the first `begin` until the `with` block ends, then disappears."""

    def __init__(self, label: str = "indexing") -> None:
        """Set up a bar; `label` names what is done, in a word."""
        self._bar = Progress(
            TextColumn(label), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), _RateColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(label, total=None, chunks=0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def begin(self, total: int) -> None:
        """Set how much there is to do, in bytes or characters."""
        self._bar.reset(self._task, total=max(1, total))

    def advance(self, amount: float, chunks: int) -> None:
        """Add what more is done, and how many more chunks have a vector."""
        done = self._bar.tasks[0].fields["chunks"] + chunks
        self._bar.update(self._task, advance=amount, chunks=done)


class _RateColumn(ProgressColumn):
    """Chunks so far, and a second."""

    def render(self, task: Task) -> Text:
        done, elapsed = task.fields["chunks"], task.elapsed or 0
        rate = f", {done / elapsed:,.0f}/s" if done and elapsed else ""
        return Text(f"{done:,} chunks{rate}", style="progress.data.speed")
