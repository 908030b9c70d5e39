"""The progress of a long run: texts read and found by their words, then vectors made; rates and time left.

A bar on a terminal, a line every ten seconds elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Final, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from vecsearch.core import long_steps
from vecsearch.interfaces.cli import streams
from vecsearch.interfaces.cli.progress_rate import Rate, format_seconds
from vecsearch.interfaces.rendering.terminal_safe import make_printable

_LINE_S: Final = 10.0  # between two lines


@dataclass(slots=True)
class _Phase:
    """One of the two parts of a run: how much of it is done, in what it is counted, and how fast that goes."""

    label: str
    unit: str  # of `done` and `total`; empty: what it says nobody
    noun: str  # of `count`
    total: float = 0.0
    done: float = 0.0
    count: int = 0
    by_done: Rate = field(default_factory=Rate)
    by_count: Rate = field(default_factory=Rate)

    def begin(self, now: float, total: float) -> None:
        self.total = max(1.0, total)
        self.by_done.add(now, self.done)
        self.by_count.add(now, self.count)

    def add(self, now: float, amount: float, count: int) -> None:
        self.done, self.count = min(self.total, self.done + amount), self.count + count
        self.by_done.add(now, self.done)
        self.by_count.add(now, self.count)

    def describe(self, now: float) -> str:
        """Return `12 of 300 files · 1,280 chunks, 31/s · 40 s left`."""
        unit = self.unit.removesuffix("s") if self.total == 1 else self.unit
        of = f"{self.done:,.0f} of {self.total:,.0f} {unit}"
        rate = self.by_count.get_rate(now)
        speed = "" if rate is None else f", {rate:,.0f}/s"
        parts = [of + speed] if self.unit == self.noun else [of if self.unit else "", f"{self.count:,} {self.noun}{speed}"]
        left = self.by_done.estimate(now, self.total) if self.done < self.total else None
        return " · ".join(filter(None, [*parts, "" if left is None else f"{format_seconds(left)} left"]))


class _Phases(ABC):
    """Both parts of a run; `unit`: what there is to read is counted in."""

    def __init__(self, label: str, unit: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._texts = _Phase(label, unit, "chunks")
        self._vectors = _Phase("encoding", "vectors", "vectors")

    def begin(self, total: int) -> None:
        """Set how much there is to read."""
        self._texts.begin(self._clock(), total)
        self._show(self._texts)

    def advance(self, amount: float, chunks: int) -> None:
        """Add what more is read, and how many more chunks are found by their words."""
        self._texts.add(self._clock(), amount, chunks)
        self._show(self._texts)

    def begin_vectors(self, total: int) -> None:
        """Set how many chunks wait for a vector."""
        self._vectors.begin(self._clock(), total + self._vectors.count)
        self._show(self._vectors)

    def advance_vectors(self, count: int) -> None:
        """Add how many more have one."""
        self._vectors.add(self._clock(), count, count)
        self._show(self._vectors)

    @abstractmethod
    def _show(self, phase: _Phase) -> None:
        """Show that a part has come further."""


class ProgressBar(_Phases):
    """Shows a bar for texts from the first `begin`, one for vectors from the first `begin_vectors`; disappears at the end.

    Lines for stderr come above it, and a step that takes long has a bar of its own.
    """

    def __init__(self, label: str = "indexing", unit: str = "", *, clock: Callable[[], float] = monotonic) -> None:
        """Set up bars; `label` names what is done, in a word."""
        super().__init__(label, unit, clock)
        self._bar = _make_bars(clock)
        self._tasks: dict[str, TaskID] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._bar.start()
        self._open.enter_context(streams.print_lines(lambda line: self._bar.console.print(line, markup=False, highlight=False)))
        self._open.enter_context(long_steps.display(self._show_step))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()
        self._bar.stop()

    def _show(self, phase: _Phase) -> None:
        if phase.label not in self._tasks:
            self._tasks[phase.label] = self._bar.add_task(phase.label, total=phase.total, phase=phase)
        self._bar.update(self._tasks[phase.label], total=phase.total, completed=phase.done)

    @contextmanager
    def _show_step(self, what: str, seconds: int) -> Iterator[None]:
        with _show_step(self._bar, what, seconds):
            yield


class ProgressLines(_Phases):
    """Prints a line every ten seconds: for a log, where a bar is no use."""

    def __init__(self, label: str = "indexing", unit: str = "", *, clock: Callable[[], float] = monotonic) -> None:
        """Set up lines; `label` names what is done, in a word."""
        super().__init__(label, unit, clock)
        self._last = clock()

    def _show(self, phase: _Phase) -> None:
        now = self._clock()
        if now - self._last >= _LINE_S:
            self._last = now
            click.echo(f"{phase.label}: {phase.describe(now)}", err=True)


@contextmanager
def show_step(what: str, seconds: int) -> Iterator[None]:
    """Show a bar for one step that takes long, where no other bar is."""
    with _make_bars(monotonic) as bars, _show_step(bars, what, seconds):
        yield


@contextmanager
def _show_step(bars: Progress, what: str, seconds: int) -> Iterator[None]:
    """Show a line above the bars, and a bar of its own, which says how long it has taken."""
    bars.console.print(make_printable(f"{what} (about {seconds} s, once)"), markup=False, highlight=False)
    task = bars.add_task("preparing", total=None, phase=None, seconds=seconds)
    try:
        yield
    finally:
        bars.remove_task(task)


def _make_bars(clock: Callable[[], float]) -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), _DetailColumn(clock),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip


class _DetailColumn(ProgressColumn):
    """How much is done, how fast, and how long it will take."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._now = clock

    def render(self, task: Task) -> Text:
        phase: _Phase | None = task.fields["phase"]
        if phase is None:
            return Text(f"{task.elapsed or 0:.0f} s of about {task.fields['seconds']} s", style="progress.data.speed")
        return Text(phase.describe(self._now()), style="progress.data.speed", overflow="ellipsis", no_wrap=True)
