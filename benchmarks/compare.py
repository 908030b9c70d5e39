"""vecsearch beside other databases: the same texts, vectors and metadata, each peer and step in a process of its own.

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
    asked = _parse_arguments()
    names = [name for name in asked.peers if is_installed(name)]
    for name in asked.peers:
        if name not in names:
            print(f"{name} is not installed and left out; {INSTALL_HINT}", file=sys.stderr)
    if not names:
        raise SystemExit("there is none to compare")
    asked.out = asked.out.resolve()
    asked.out.mkdir(parents=True, exist_ok=True)
    measured = _load_earlier_results(asked.out) if asked.go_on else []
    with TemporaryDirectory(dir=asked.work or asked.out) as work:
        for count in asked.rows:
            wanted = [name for name in names if not any((each["peer"], each["rows"]) == (name, count) for each in measured)]
            if not wanted:
                continue
            data = Path(work) / f"data-{count}"
            corpus.write_corpus(data, count, asked.queries, files=asked.texts, vectors_file=asked.vectors)
            exact = ExactSearch(data)
            for name in wanted:
                if any(each["peer"] == name and "failed" in each for each in measured):
                    continue  # what was too much for it already is no better with more
                measured.append(_measure_peer(name, data, exact, asked))
                _write_results(measured, asked.out)
            shutil.rmtree(data)
    print((asked.out / "compare.md").read_text(encoding="utf-8"))


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
    """What was measured on this machine; figures of another cannot stand beside."""
    path = out / "compare.json"
    if not path.exists():
        return []
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept["machine"] != report.describe_machine():
        raise SystemExit(
            f"{path} was measured on another machine ({kept['machine']}): choose another --out, or leave out --go-on"
        )
    measured: list[dict[str, Any]] = kept["measured"]
    return measured


def _parse_numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def _parse_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(PEERS):
        raise argparse.ArgumentTypeError(f"no such peer: {', '.join(sorted(unknown))}")
    return names


def _measure_peer(name: str, data: Path, exact: ExactSearch, args: argparse.Namespace) -> dict[str, Any]:
    """One peer at one size: all that the report shows, or why it is missing."""
    folder = data.parent / name
    result: dict[str, Any] = {"peer": name, "version": get_version(name), "note": PEERS[name].note, "rows": exact.rows}
    print(f"{name}, {exact.rows:,} rows …", file=sys.stderr, flush=True)
    try:
        result |= _run_step("build", name, data, folder, args)
        result["disk_mb"] = measure_size_mb(folder)
        searched = _run_step("search", name, data, folder, args)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return result | {"failed": _explain_failure(error)}
    finally:
        for each in data.parent.glob(f"{name}*"):
            shutil.rmtree(each, ignore_errors=True)
    for kind in FILTERS.keys() & searched.keys():
        searched[kind]["recall"] = exact.recall(kind, searched[kind].pop("found"))
    return result | {"complete": exact.is_complete(searched.pop("answer"))} | searched


def _run_step(step: str, name: str, data: Path, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    os.sync()  # what the one before left to be written is not this one's affair
    written = data.parent / "result.json"
    command = [sys.executable, "-m", "benchmarks.child", step, name, *map(str, [data, folder, written, args.series])]
    with (args.out / f"{name}.log").open("w") as log:
        subprocess.run(
            command, check=True, stdout=log, stderr=subprocess.STDOUT, timeout=args.limit, cwd=Path(__file__).parents[1],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    measured: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    return measured


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
