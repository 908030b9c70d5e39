"""Make texts to measure with where the shared data is absent: the docstrings of the Python packages that are installed here.

    python -m benchmarks.docstrings

Real English prose, some 100,000 texts beside vecsearch's own dependencies. Other packages give other texts: compare only figures
that were measured over the same file.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import hashlib
import json
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.corpus import MADE_TEXTS

NamedText: TypeAlias = tuple[str, str]  # what it documents, and the docstring

MIN_WORDS: Final = 4
TEXT_CHARS: Final = 5_000
DOCUMENTED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, help="folder of Python files (default: the standard library and site-packages)")
    parser.add_argument("--out", type=Path, default=MADE_TEXTS, help="file that is written (default: where the benchmarks look)")
    args = parser.parse_args()
    roots = [args.packages] if args.packages else [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    print(f"reading docstrings below {' and '.join(map(str, roots))}; this takes a minute or two", file=sys.stderr)
    print(f"{write_docstrings(roots, args.out):,} texts in {args.out}")


def write_docstrings(roots: list[Path], out: Path) -> int:
    """Write each docstring once as a line of JSON, in an order that mixes the packages; return how many there are."""
    paths = sorted({path for root in roots for path in root.rglob("*.py")})
    with ProcessPoolExecutor() as processes:
        texts = {text: title for batch in processes.map(read_docstrings, paths, chunksize=50) for title, text in batch}
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    with gzip.open(part, "wt", encoding="utf-8") as file:
        for text in sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest()):
            file.write(json.dumps({"title": texts[text], "text": text}) + "\n")
    part.rename(out)
    return len(texts)


def read_docstrings(path: Path) -> list[NamedText]:
    """Return the docstrings of a Python file that have some words; of one that cannot be parsed, none."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, OSError, RecursionError):
        return []
    return list(_iterate_docstrings(tree, path.stem))


def _iterate_docstrings(tree: ast.Module, module: str) -> Iterator[NamedText]:
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED):
            text = (ast.get_docstring(node) or "")[:TEXT_CHARS].encode(errors="ignore").decode().replace("\0", "")
            if len(text.split()) >= MIN_WORDS:
                yield f"{module}.{node.name}" if hasattr(node, "name") else module, text


if __name__ == "__main__":
    main()
