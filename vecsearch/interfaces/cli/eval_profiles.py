"""The shell's `eval --profiles`: how well recommendations find what people liked later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from vecsearch.core.types import format_count
from vecsearch.interfaces.cli.options import CliContext
from vecsearch.interfaces.rendering.terminal_safe import make_printable

if TYPE_CHECKING:
    from vecsearch.evaluation import Measure


def run_profiles(
    options: CliContext, file: str, half_life: float | None, boost: str | None, thresholds: Sequence[tuple[Measure, float]]
) -> int:
    """Measure, print, and return the exit status: 1 where a measure is less than its bound."""
    from vecsearch.evaluation import Measure, evaluate_profiles, read_profiles

    profiles = read_profiles(file)
    with options.open_for_reading() as collection:
        run = evaluate_profiles(collection, profiles, half_life=half_life, boost=boost)
    low, high = run.compute_interval(Measure.NDCG)
    value: dict[str, Any] = {
        "profiles": len(run.values), "left_out": len(profiles) - len(run.values), "documents": run.documents,
        **{measure: round(run.mean(measure), 6) for measure in Measure},
        "intervals": {measure: [round(bound, 6) for bound in run.compute_interval(measure)] for measure in Measure},
        "took_ms_per_profile": round(run.ms_per_profile, 2),
    }  # fmt: skip
    left_out = f", {value['left_out']:,} left out" if value["left_out"] else ""
    lines = [
        f"{file}: {format_count(run.documents, 'document')}, {format_count(len(run.values), 'profile')}{left_out}",
        f"nDCG@10     {run.mean(Measure.NDCG):.4f} [{low:.3f}, {high:.3f}]",
        f"recall@100  {run.mean(Measure.RECALL):.4f}",
        f"MRR@10      {run.mean(Measure.MRR):.4f}",
        f"MAP         {run.mean(Measure.MAP):.4f}",
        f"ms/profile  {run.ms_per_profile:.1f}",
    ]
    options.show(value, map(make_printable, lines))
    under = [
        f"{measure} {run.mean(measure):.4f} is less than {bound:g}" for measure, bound in thresholds if run.mean(measure) < bound
    ]
    if under:
        click.echo(f"Error: {'; '.join(under)}", err=True)
    return 1 if under else 0
