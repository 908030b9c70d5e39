"""vecsearch compared with other databases: the same texts, vectors and metadata, each peer and step in its own process.

    python -m benchmarks.compare --rows 10000,100000 --out build/compare

Writes compare.json (after every step), compare.md and compare.svg. A peer that is not installed is left out, with a word on it.
With --go-on, what compare.json holds already is not measured again: a run that was cut off, or that wants more rows or peers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import corpus, plot, report
from benchmarks.corpus import FILTERS, ExactSearch
from benchmarks.measuring import measure_size_mb
from benchmarks.peers import INSTALL_HINT, PEERS, get_version, is_installed


def main() -> None:
    args = _parse_arguments()
    names = [name for name in args.peers if is_installed(name)]
    for name in args.peers:
        if name not in names:
            print(f"{name} is not installed and left out; {INSTALL_HINT}", file=sys.stderr)
    if not names:
        raise SystemExit("there is none to compare")
    args.out = args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    results = _load_earlier_results(args.out) if args.go_on else []
    with TemporaryDirectory(dir=args.work or args.out) as work:
        for count in args.rows:
            pending = [name for name in names if not any((result["peer"], result["rows"]) == (name, count) for result in results)]
            if not pending:
                continue
            data = Path(work) / f"data-{count}"
            corpus.write_corpus(data, count, args.queries, files=args.texts, vectors_file=args.vectors)
            exact = ExactSearch(data)
            for name in pending:
                if any(result["peer"] == name and "failed" in result for result in results):
                    continue  # a peer that failed with fewer rows will fail with more
                results.append(_measure_peer(name, data, exact, args))
                _write_results(results, args.out)
            shutil.rmtree(data)
    print((args.out / "compare.md").read_text(encoding="utf-8"))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=_parse_numbers, default=[10_000, 100_000], help="sizes of the collections, with commas")
    parser.add_argument("--peers", type=_parse_names, default=list(PEERS), help=f"some of {','.join(PEERS)}")
    parser.add_argument("--queries", type=int, default=200, help="texts taken out and asked (default 200)")
    parser.add_argument(
        "--vectors", type=Path, help=".npy of one row a text, in order; else the default encoder makes and keeps them"
    )
    parser.add_argument("--texts", type=Path, nargs="+", default=corpus.TEXT_FILES, help=".jsonl or lines, .gz or not")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for one step of one peer (default 1800)")
    parser.add_argument("--series", type=float, default=60, help="seconds for one kind of search (default 60)")
    parser.add_argument(
        "--work", type=Path, help="folder, on a real disk, for the databases while they are measured (default: that of --out)"
    )
    parser.add_argument("--out", type=Path, default=Path("build/compare"), help="folder for what is written")
    parser.add_argument("--go-on", action="store_true", help="keep what compare.json in --out holds, and measure the rest")
    return parser.parse_args()


def _load_earlier_results(out: Path) -> list[dict[str, Any]]:
    """Load what was measured on this machine; figures of another machine cannot be compared."""
    path = out / "compare.json"
    if not path.exists():
        return []
    saved_report = json.loads(path.read_text(encoding="utf-8"))
    if saved_report["machine"] != report.describe_machine():
        raise SystemExit(
            f"{path} was measured on another machine ({saved_report['machine']}): choose another --out, or leave out --go-on"
        )
    results: list[dict[str, Any]] = saved_report["measured"]
    return results


def _parse_numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _parse_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(PEERS):
        raise argparse.ArgumentTypeError(f"no such peer: {', '.join(sorted(unknown))}")
    return names


def _measure_peer(name: str, data: Path, exact: ExactSearch, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one peer at one size: all that the report shows, or why it is missing."""
    folder = data.parent / name
    result: dict[str, Any] = {"peer": name, "version": get_version(name), "note": PEERS[name].note, "rows": exact.rows}
    print(f"{name}, {exact.rows:,} rows …", file=sys.stderr, flush=True)
    try:
        result |= _run_step("build", name, data, folder, args)
        result["disk_mb"] = measure_size_mb(folder)
        search_result = _run_step("search", name, data, folder, args)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return result | {"failed": _explain_failure(error)}
    finally:
        for path in data.parent.glob(f"{name}*"):
            shutil.rmtree(path, ignore_errors=True)
    for kind in FILTERS.keys() & search_result.keys():
        search_result[kind]["recall"] = exact.recall(kind, search_result[kind].pop("found"))
    return result | {"complete": exact.is_complete(search_result.pop("answer"))} | search_result


def _run_step(step: str, name: str, data: Path, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    os.sync()  # what the previous step left to be written must not slow this one down
    result_file = data.parent / "result.json"
    command = [sys.executable, "-m", "benchmarks.child", step, name, *map(str, [data, folder, result_file, args.series])]
    with (args.out / f"{name}.log").open("w") as log:
        subprocess.run(
            command, check=True, stdout=log, stderr=subprocess.STDOUT, timeout=args.limit, cwd=Path(__file__).parents[1],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    result: dict[str, Any] = json.loads(result_file.read_text(encoding="utf-8"))
    return result


def _explain_failure(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"not done after {error.timeout:,.0f} s"
    return f"failed with status {error.returncode}"


def _write_results(results: list[dict[str, Any]], out: Path) -> None:
    facts = report.describe_machine()
    (out / "compare.json").write_text(json.dumps({"machine": facts, "measured": results}, indent=1), encoding="utf-8")
    (out / "compare.md").write_text(report.build_table(results, facts), encoding="utf-8")
    (out / "compare.svg").write_text(plot.draw_charts(results), encoding="utf-8")


if __name__ == "__main__":
    main()
