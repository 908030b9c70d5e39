"""vecsearch compared with other databases: the same texts, vectors and metadata, each peer and step in its own process.

    python -m benchmarks.compare --rows 10000,100000 --out build/compare
    python -m benchmarks.compare --ask texts --rows 100000

Databases are asked with vectors, or in words: hybrid, lexical and dense. Writes compare.json (after every step), compare.md and
compare.svg; of questions in words texts.json and texts.md. A peer that is not installed is left out, with a word on it.
With --go-on, what was measured already is not measured again: a run that was cut off, or that wants more rows or peers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from benchmarks import corpus, plot
from benchmarks.asking import compute_found_share, encode_short_questions
from benchmarks.corpus import FILTERS, ExactSearch
from benchmarks.measuring import measure_size_mb
from benchmarks.peers import INSTALL_HINT, PEERS, AnyPeer, get_version, is_installed
from benchmarks.questions import load_questions, write_questions
from benchmarks.report import build_table, describe_machine
from benchmarks.text_peers import TEXT_PEERS
from benchmarks.text_report import build_text_table

Result: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """What databases are asked with: the peers that can be, the two steps of a child, and the report."""

    stem: str  # of the files that are written
    peers: Mapping[str, type[AnyPeer]]
    steps: tuple[str, str]
    held_out: int  # texts
    evaluate: Callable[[Result, Path], Result]
    build_table: Callable[[Sequence[Result], dict[str, str | int]], str]
    draw_charts: Callable[[Sequence[Result]], str] | None = None

    def select_peers(self, names: Sequence[str] | None) -> dict[str, type[AnyPeer]]:
        """Return the peers of these names (None: all) that are installed; what is left out is said."""
        if unknown := set(names or ()) - self.peers.keys():
            raise SystemExit(f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(self.peers)}")
        chosen = {name: self.peers[name] for name in names or self.peers}
        for name, peer in chosen.items():
            if not is_installed(peer):
                print(f"{name} is not installed and left out; {INSTALL_HINT}", file=sys.stderr)
        return {name: peer for name, peer in chosen.items() if is_installed(peer)}


def main() -> None:
    args = _parse_arguments()
    subject = SUBJECTS[args.ask]
    peers = subject.select_peers(args.peers)
    if not peers:
        raise SystemExit("there is none to compare")
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    results = _load_earlier_results(args.out / f"{subject.stem}.json") if args.go_on else []
    with TemporaryDirectory(dir=args.work or args.out) as work:
        for count in args.rows:
            pending = [name for name in peers if _is_pending(name, peers[name], count, results)]
            if not pending:
                continue
            data = Path(work) / f"data-{count}"
            _write_data(data, count, subject, args)
            for name in pending:
                results.append(_measure_peer(name, count, data, subject, args))
                _write_results(results, subject, args.out)
            shutil.rmtree(data)
    print((args.out / f"{subject.stem}.md").read_text(encoding="utf-8"))


def _is_pending(name: str, peer: type[AnyPeer], count: int, results: Sequence[Result]) -> bool:
    """Return whether a peer is to be measured at this size: not where it was, nor where it failed with fewer rows."""
    max_rows = getattr(peer, "max_rows", None)
    if max_rows is not None and count > max_rows:
        print(f"{name} is left out at {count:,} rows: it would take hours", file=sys.stderr)
        return False
    return not any(result["peer"] == name and (result["rows"] == count or "failed" in result) for result in results)


def _write_data(data: Path, count: int, subject: Subject, args: argparse.Namespace) -> None:
    corpus.write_corpus(
        data, count, args.queries or subject.held_out, files=args.texts, vectors_file=args.vectors, encoded=args.encoded
    )
    if subject.stem == "texts":
        write_questions(data)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ask", choices=SUBJECTS, default="vectors", help="what is asked (default vectors)")
    parser.add_argument("--rows", type=_parse_numbers, default=[10_000, 100_000], help="sizes of the collections, with commas")
    names = "; ".join(f"of {name}: {','.join(subject.peers)}" for name, subject in SUBJECTS.items())
    parser.add_argument("--peers", type=_parse_names, help=f"some of them, with commas ({names})")
    parser.add_argument("--queries", type=int, help="texts taken out, to be asked (default 200, of texts 250)")
    parser.add_argument(
        "--vectors", type=Path, help=".npy of one row a text, in order; else the default encoder makes and keeps them"
    )
    parser.add_argument(
        "--encoded",
        type=int,
        help="encode this many texts only; the vectors of the others are perturbed copies, and the report says so",
    )
    parser.add_argument(
        "--texts",
        type=Path,
        nargs="+",
        help=".jsonl or lines, .gz or not (default: those of ../shared/data, else of benchmarks.docstrings)",
    )
    parser.add_argument("--limit", type=float, default=1800, help="seconds for one step of one peer (default 1800)")
    parser.add_argument("--series", type=float, default=60, help="seconds for one kind of search (default 60)")
    parser.add_argument(
        "--work", type=Path, help="folder, on a real disk, for the databases while they are measured (default: that of --out)"
    )
    parser.add_argument("--out", type=Path, default=Path("build/compare"), help="folder for what is written")
    parser.add_argument("--go-on", action="store_true", help="keep what was measured in --out before, and measure the rest")
    return parser.parse_args()


def _load_earlier_results(path: Path) -> list[Result]:
    """Load what was measured on this machine; figures of another machine cannot be compared."""
    if not path.exists():
        return []
    saved_report = json.loads(path.read_text(encoding="utf-8"))
    if saved_report["machine"] != describe_machine():
        raise SystemExit(
            f"{path} was measured on another machine ({saved_report['machine']}): choose another --out, or leave out --go-on"
        )
    results: list[Result] = saved_report["measured"]
    return results


def _parse_numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _parse_names(text: str) -> list[str]:
    return text.split(",")


def _measure_peer(name: str, count: int, data: Path, subject: Subject, args: argparse.Namespace) -> Result:
    """Measure one peer at one size: all that the report shows, or why it is missing."""
    folder, peer = data.parent / name, subject.peers[name]
    result: Result = {"peer": name, "version": get_version(peer), "note": peer.note, "rows": count}
    if args.encoded is not None and args.encoded < count:
        result["vectors"] = f"vectors: {args.encoded:,} encoded, the others perturbed copies of these"
    print(f"{name}, {count:,} rows …", file=sys.stderr, flush=True)
    build_step, search_step = subject.steps
    try:
        result |= _run_step(build_step, name, data, folder, args)
        result["disk_mb"] = measure_size_mb(folder)
        search_result = _run_step(search_step, name, data, folder, args)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return result | {"failed": _explain_failure(error)}
    finally:
        for path in data.parent.glob(f"{name}*"):
            shutil.rmtree(path, ignore_errors=True)
    return subject.evaluate(result | search_result, data)


def _evaluate_vectors(result: Result, data: Path) -> Result:
    """Put the recall in the place of what was found."""
    exact = _load_exact_search(data)
    evaluated = result | {"complete": exact.is_complete(result.pop("answer"))}
    for kind in FILTERS.keys() & evaluated.keys():
        evaluated[kind]["recall"] = exact.recall(kind, evaluated[kind].pop("found"))
    return evaluated


def _evaluate_texts(result: Result, data: Path) -> Result:
    """Put the recall, and the share of rows found by some of their words, in the place of what was found."""
    short = load_questions(data)["short"]
    for name, series in result.items():
        if isinstance(series, dict) and "found" in series:
            found = series.pop("found")
            if name in ("lexical", "hybrid"):
                series["found_share"] = compute_found_share(short, found)
            if name == "dense" and TEXT_PEERS[result["peer"]].has_all_rows and TEXT_PEERS[result["peer"]].uses_float32:
                series["recall"] = _load_exact_answers(data).recall("all", found)
    return result


@lru_cache(1)
def _load_exact_search(data: Path) -> ExactSearch:
    return ExactSearch(data)


@lru_cache(1)
def _load_exact_answers(data: Path) -> ExactSearch:
    return ExactSearch(data, encode_short_questions(data))


SUBJECTS = {
    "vectors": Subject("compare", PEERS, ("build", "search"), 200, _evaluate_vectors, build_table, plot.draw_charts),
    "texts": Subject("texts", TEXT_PEERS, ("build-texts", "ask"), 250, _evaluate_texts, build_text_table),
}


def _run_step(step: str, name: str, data: Path, folder: Path, args: argparse.Namespace) -> Result:
    os.sync()  # what the previous step left to be written must not slow this one down
    result_file = data.parent / "result.json"
    command = [sys.executable, "-m", "benchmarks.child", step, name, *map(str, [data, folder, result_file, args.series])]
    with (args.out / f"{name}.log").open("w") as log:
        subprocess.run(
            command, check=True, stdout=log, stderr=subprocess.STDOUT, timeout=args.limit, cwd=Path(__file__).parents[1],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    result: Result = json.loads(result_file.read_text(encoding="utf-8"))
    return result


def _explain_failure(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"not done after {error.timeout:,.0f} s"
    return f"failed with status {error.returncode}"


def _write_results(results: list[Result], subject: Subject, out: Path) -> None:
    facts = describe_machine()
    saved_report = json.dumps({"machine": facts, "measured": results}, indent=1)
    (out / f"{subject.stem}.json").write_text(saved_report, encoding="utf-8")
    (out / f"{subject.stem}.md").write_text(subject.build_table(results, facts), encoding="utf-8")
    if subject.draw_charts:
        (out / f"{subject.stem}.svg").write_text(subject.draw_charts(results), encoding="utf-8")


if __name__ == "__main__":
    main()
