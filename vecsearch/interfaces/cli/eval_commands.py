"""The shell's `eval`: what is measured, on which collection, and how the figures are shown."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from vecsearch.core.errors import InputError, VecsearchWarning
from vecsearch.core.types import Mode, format_count, format_names
from vecsearch.interfaces.cli import streams
from vecsearch.interfaces.cli.optional_values import OptionalValueCommand
from vecsearch.interfaces.cli.options import CliContext, add_common_options, add_rerank_option, fusion_option, parse_rerank_option
from vecsearch.interfaces.rendering import terminal_safe

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection
    from vecsearch.evaluation import CachedCollection, Difference, Measure, Qrels, Run

_QUERIES_SHOWN: Final = 20
_TEXT_SHOWN: Final = 80  # characters of each
_MODES: Final = sorted(Mode, key=lambda mode: mode is Mode.HYBRID)  # what it is made of comes first
_HEADINGS: Final = ("mode", "nDCG@10", "recall@100", "MRR@10", "MAP", "ms/query")

Threshold: TypeAlias = "tuple[Measure, float]"


class ThresholdType(click.ParamType[Threshold]):
    """`X` or `MEASURE=X`: the least value that will do."""

    name = "bound"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Threshold:
        """Return the measure, nDCG@10 where none is named, and its bound; fails with what was expected."""
        from vecsearch.evaluation import Measure

        measure, _, number = value.rpartition("=")
        try:
            bound = (Measure(measure.strip().lower() or Measure.NDCG), float(number))
        except ValueError:
            bound = (Measure.NDCG, -1.0)
        if not 0 <= bound[1] <= 1:
            self.fail(f"expected a number from 0 to 1, or one after {'=, '.join(Measure)}=, got {value!r}", param, ctx)
        return bound


@click.command("eval", cls=OptionalValueCommand)
@click.argument("dataset", required=False, metavar="[DATASET]")
@click.option("--queries", metavar="FILE", help='Measure the collection of --db and -c: JSON lines {"_id", "text"}, and …')
@click.option("--qrels", metavar="FILE", help="… lines of query-id, document-id and score, separated by tabs.")
@click.option("--profiles", metavar="FILE", help="Measure recommend in that collection: JSON lines of `profile export`.")
@click.option("--half-life", type=click.FloatRange(min=0, min_open=True), metavar="DAYS", help="As recommend has it.")
@click.option("--boost", metavar="KEY", help="As recommend has it.")
@click.option(
    "--mode", type=click.Choice([mode.value for mode in Mode]), help="Measure only this mode.  [default: all, side by side]"
)
@click.option("--model", metavar="NAME", help="The model for DATASET: a hub name or a local folder.")
@click.option("--per-query", is_flag=True, help="Show the queries where the modes differ most, or that one mode answers worst.")
@click.option(
    "--fail-under", multiple=True, type=ThresholdType(), metavar="[MEASURE=]X",
    help="Exit 1 when nDCG@10, or another measure, is less than X in --mode, else in hybrid; repeat.",
)  # fmt: skip
@add_rerank_option
@fusion_option
@add_common_options
def evaluate(
    options: CliContext, dataset: str | None, queries: str | None, qrels: str | None, mode: str | None, model: str | None,
    per_query: bool, fail_under: Sequence[Threshold], profiles: str | None, half_life: float | None, boost: str | None,
    **switches: Any,
) -> int:  # fmt: skip
    """Measure the quality of search.

    DATASET is a folder in BEIR's layout: corpus.jsonl, queries.jsonl and qrels.tsv (.gz too). Its corpus is indexed once, in the
    user's cache. With --queries and --qrels an existing collection is measured, and not changed. With --profiles, so are its
    recommendations: by the older four fifths of each profile, which of the documents that the newest fifth likes are found.
    """
    from vecsearch.evaluation import compare_runs

    if profiles is not None or half_life is not None or boost is not None:
        from vecsearch.interfaces.cli.eval_profiles import run_profiles

        if profiles is None or any((dataset, queries, qrels, mode, model, per_query, switches["rerank"])):
            raise click.UsageError("--profiles goes with --half-life, --boost, --fail-under, --db and -c alone.")
        return run_profiles(options, profiles, half_life, boost, fail_under)

    _check_usage(options, dataset, queries, qrels, model)
    switches["rerank"] = parse_rerank_option(switches["rerank"])
    with _open_dataset(options, dataset, model) if dataset else _open_collection(options, queries or "", qrels or "") as target:
        runs = [_evaluate_mode(options, target, run_mode, switches) for run_mode in ([Mode(mode)] if mode else _MODES)]
    answer = EvalReport(target.name, target.judgements, runs, compare_runs(runs), one_mode=mode is not None, per_query=per_query)
    options.show(answer.to_dict(), answer.to_lines())
    return _check_thresholds(next(run for run in runs if run.mode == (mode or Mode.HYBRID)), fail_under)


def _check_usage(options: CliContext, dataset: str | None, queries: str | None, qrels: str | None, model: str | None) -> None:
    """Raise click.UsageError for options that contradict each other."""
    if dataset is None and (queries is None or qrels is None):
        raise click.UsageError("Give DATASET, or both --queries and --qrels.")
    if dataset is not None and (queries is not None or qrels is not None):
        raise click.UsageError("DATASET brings its own queries and qrels: leave out --queries and --qrels, or DATASET.")
    if dataset is not None and (options.db is not None or options.collection is not None):
        raise click.UsageError("DATASET has a collection of its own, in the cache: leave out --db and -c, or DATASET.")
    if dataset is None and model is not None:
        raise click.UsageError("--model is for DATASET: a collection is searched with the model that it was built with.")


# -- what is measured


@dataclass(frozen=True, slots=True)
class EvalTarget:
    """A collection and what is known of it."""

    name: str
    collection: Collection
    judgements: Qrels


@contextmanager
def _open_dataset(options: CliContext, folder: str, model: str | None) -> Iterator[EvalTarget]:
    """Open a data set's collection in the cache, indexed first where it is not there or not complete."""
    from vecsearch.core.settings import COLLECTION_DEFAULT
    from vecsearch.evaluation import CachedCollection, Dataset, read_judgements

    dataset = Dataset.from_folder(folder)
    judgements = read_judgements(dataset.queries, dataset.qrels)
    cached = CachedCollection.from_dataset(dataset, model=model)
    if not cached.is_whole:
        _index_dataset(options, cached)
    if problems := cached.read_problems():
        _print_note(options, f"{format_count(len(problems), 'document')} of {dataset.corpus} could not be indexed: {problems[0]}")
    _check_judgements(judgements, cached.folder, COLLECTION_DEFAULT)
    with cached.open_for_reading() as collection:
        yield EvalTarget(dataset.name, collection, judgements)


def _index_dataset(options: CliContext, cached: CachedCollection) -> None:
    from vecsearch.interfaces.cli.progress_bar import ProgressBar

    _print_note(options, f"indexing {cached.dataset.corpus} once, into {cached.folder}")
    with ProgressBar() if _is_interactive(options) else nullcontext() as progress:
        cached.index(progress)


@contextmanager
def _open_collection(options: CliContext, queries: str, qrels: str) -> Iterator[EvalTarget]:
    """Open the user's collection, with judgements of its documents."""
    from vecsearch.evaluation import read_judgements

    judgements = read_judgements(queries, qrels)
    with options.open_for_reading() as collection:
        _check_judgements(judgements, options.find_database(), options.name)
        yield EvalTarget(options.name, collection, judgements)


def _check_judgements(judgements: Qrels, folder: Path, collection: str) -> None:
    """Warn of judged queries and documents that are not there. Raises InputError when no judged document is."""
    from vecsearch.evaluation import find_absent, select_answerable

    if unknown := [query for query in judgements.qrels if query not in judgements.queries]:
        _warn(f"left out, with no text in the queries: {_format_query_count(len(unknown))} of the qrels: {format_names(unknown)}")
    query_ids = select_answerable(judgements.queries, judgements.qrels)
    judged = list(dict.fromkeys(document for query in query_ids for document in judgements.qrels[query]))
    missing = find_absent(folder, collection, judged)
    if judged and len(missing) == len(judged):
        raise InputError(
            f"none of the {len(judged):,} judged documents is in the collection: expected ids as `vecsearch ls` lists them, "
            f"got {format_names(judged)}"
        )
    if missing:
        _warn(f"{len(missing):,} of {len(judged):,} judged documents are not in the collection: {format_names(missing)}")


def _evaluate_mode(options: CliContext, target: EvalTarget, mode: Mode, switches: Mapping[str, Any]) -> Run:
    from vecsearch.evaluation import evaluate

    judgements = target.judgements
    with _show_query_progress(options, mode) as progress:
        return evaluate(
            target.collection, judgements.queries, judgements.qrels, mode=mode, options=switches, progress=progress
        )  # fmt: skip


@contextmanager
def _show_query_progress(options: CliContext, mode: Mode) -> Iterator[Callable[[int], None] | None]:
    """Show on a terminal how many queries were run."""
    if not _is_interactive(options):
        yield None
        return
    from rich.console import Console

    answered = 0
    with Console(stderr=True).status(f"asking, mode {mode} …") as status:

        def advance(count: int) -> None:
            nonlocal answered
            answered += count
            status.update(f"asking, mode {mode} … {_format_query_count(answered)}")

        yield advance


def _is_interactive(options: CliContext) -> bool:
    return not options.quiet and sys.stderr.isatty()


def _print_note(options: CliContext, line: str) -> None:
    if not options.quiet:
        streams.print_line(line)


def _warn(line: str) -> None:
    warnings.warn(line, VecsearchWarning, stacklevel=3)


# -- output


def _check_thresholds(run: Run, thresholds: Sequence[Threshold]) -> int:
    """Return the exit status: 1, with the reason on stderr, where the run is under a bound."""
    under = [(measure, run.mean(measure), bound) for measure, bound in thresholds if run.mean(measure) < bound]
    if under:
        failures = "; ".join(f"{measure} {value:.4f} is less than {bound:g}" for measure, value, bound in under)
        streams.print_line(f"Error: mode {run.mode}: {failures}")
    return 1 if under else 0


@dataclass(frozen=True, slots=True)
class EvalReport:
    """All figures, as JSON and as lines."""

    dataset: str
    judgements: Qrels
    runs: Sequence[Run]
    differences: Sequence[Difference]
    one_mode: bool
    per_query: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON of `eval`: one run with --mode, else all of them and how they differ."""
        runs = [_build_run_json(run) for run in self.runs]
        report: dict[str, Any] = {"dataset": self.dataset}
        report |= (
            runs[0]
            if self.one_mode
            else {"runs": [{**report, **run} for run in runs], "differences": self._build_differences_json()}
        )
        return report | (
            {"per_query": [self._build_query_json(query) for query in self._rank_queries()]} if self.per_query else {}
        )

    def to_lines(self) -> Iterator[str]:
        """Yield a table of the modes, the gain of hybrid, and the queries where the modes differ most."""
        run = self.runs[0]
        yield f"{self.dataset}: {format_count(run.documents, 'document')}, {_format_query_count(len(run.values))}"
        yield from _format_table([_HEADINGS, *map(_format_row, self.runs)])
        for difference in self.differences[:1]:
            low, high = difference.interval
            yield f"nDCG@10, {difference.mode} − {difference.other}: {difference.mean:+.3f} [{low:+.3f}, {high:+.3f}]"
        if self.per_query:
            yield from self._format_queries()

    def _format_queries(self) -> Iterator[str]:
        shown = self._rank_queries()[:_QUERIES_SHOWN]
        values = ((query, *(f"{value:.3f}" for value in self._ndcg(query).values())) for query in shown)
        rows = ((*row, shorten(self.judgements.queries[row[0]], _TEXT_SHOWN, placeholder=" …")) for row in values)
        yield ""
        yield f"nDCG@10 of the queries {'answered worst' if self.one_mode else 'where the modes differ most'}:"
        yield from _format_table([("query", *(run.mode for run in self.runs), "text"), *rows])

    def _rank_queries(self) -> list[str]:
        """Return query ids: where the modes differ most come first, or those that the one mode answers worst."""
        if self.one_mode:
            return sorted(self.runs[0].values, key=lambda query: min(self._ndcg(query).values()))
        return sorted(self.runs[0].values, key=lambda query: -_compute_spread(self._ndcg(query).values()))

    def _ndcg(self, query: str) -> dict[str, float]:
        from vecsearch.evaluation import Measure

        return {run.mode.value: run.values[query][Measure.NDCG] for run in self.runs}

    def _build_query_json(self, query: str) -> dict[str, Any]:
        values = {mode: round(value, 6) for mode, value in self._ndcg(query).items()}
        return {"id": query, "text": self.judgements.queries[query], "ndcg@10": values}

    def _build_differences_json(self) -> list[dict[str, Any]]:
        return [
            {
                "measure": difference.measure, "mode": difference.mode, "other": difference.other,
                "difference": round(difference.mean, 6), "interval": [round(bound, 6) for bound in difference.interval],
            }
            for difference in self.differences
        ]  # fmt: skip


def _format_query_count(count: int) -> str:
    return "1 query" if count == 1 else f"{count:,} queries"


def _compute_spread(values: Any) -> float:
    return float(max(values) - min(values))


def _build_run_json(run: Run) -> dict[str, Any]:
    from vecsearch.evaluation import Measure

    return {
        "mode": run.mode,
        "documents": run.documents,
        "queries": len(run.values),
        **{measure: round(run.mean(measure), 6) for measure in Measure},
        "intervals": {measure: [round(bound, 6) for bound in run.compute_interval(measure)] for measure in Measure},
        "took_ms_per_query": round(run.ms_per_query, 2),
    }


def _format_row(run: Run) -> tuple[str, ...]:
    """Return the figures of one mode, in the order of _HEADINGS."""
    from vecsearch.evaluation import Measure

    low, high = run.compute_interval(Measure.NDCG)
    others = (f"{run.mean(measure):.4f}" for measure in (Measure.RECALL, Measure.MRR, Measure.MAP))
    return (run.mode, f"{run.mean(Measure.NDCG):.4f} [{low:.3f}, {high:.3f}]", *others, f"{run.ms_per_query:.1f}")


def _format_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of aligned columns, the last as wide as it comes."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            terminal_safe.make_printable(" ".join(cell.split())).ljust(width) for cell, width in zip(row, widths, strict=True)
        )
        yield "  ".join(cells).rstrip()
