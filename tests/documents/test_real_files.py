"""Every real file beside the project: text from files with text, a reason from the others, no harm from hostile files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import CommandResult
from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.parser_process import ParseRequest, ParserProcess

MEMORY_OF_ALL = 1_500_000_000
READS_MEDIA = any(find_spec(module) for module in ("tesserocr", "faster_whisper"))
WITHOUT_TEXT = set[str]() if READS_MEDIA else {".mp3", ".wav", ".ogg", ".m4a", ".flac", ".jpg", ".tif", ".bmp", ".png"}


def read(folder: Path) -> Iterator[tuple[Path, str | UnreadableFileError]]:
    """Yield all the text that each file gives, or why it gives none."""
    files = sorted(folder.iterdir())
    with ParserProcess() as parser:
        for reading in parser.read(ParseRequest(path, path.name, path.stat().st_size) for path in files):
            try:
                drafts = [item for item in reading.read_items() if isinstance(item, ParsedDocument)]
                yield reading.request.path, "\n".join(f"{draft.title or ''}\n{draft.text}" for draft in drafts)
            except UnreadableFileError as error:
                yield reading.request.path, error


def count_words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def count_expected_words(markdown: str) -> Counter[str]:
    """Count the words of the document without comments, link targets, picture marks and escapes that Markdown added."""
    text = re.sub(r"<!--.*?-->|!\[[^\]]*\]\([^)]*\)|\]\([^)]*\)|</?\w+[^>]*>|&\w+;", " ", markdown, flags=re.DOTALL)
    return count_words(text.replace("\\_", "_").replace("\\", ""))


def test_every_good_file_with_text_gives_it_and_the_others_say_why_not(shared: Callable[[str], Path]) -> None:
    good_folder = shared("files/good")
    results = dict(read(good_folder))
    for path, result in results.items():
        if isinstance(result, UnreadableFileError):
            assert isinstance(result, BinaryFileError | EmptyFileError), f"{path.name}: {result}"
        else:
            assert result.strip(), path.name
            assert "\0" not in result and path.suffix not in WITHOUT_TEXT, path.name
    recalls = {}
    for expected in sorted(shared("files/expected").glob("*.md")):
        text = results.get(good_folder / expected.name.removesuffix(".md"))
        if isinstance(text, str):
            expected_counts, actual_counts = count_expected_words(expected.read_text(encoding="utf-8")), count_words(text)
            if expected_counts:
                recalls[expected.name] = (expected_counts & actual_counts).total() / expected_counts.total()
    assert len(recalls) > 40
    assert median(recalls.values()) >= 0.95, recalls


def measure_peak_memory(process: subprocess.Popen[str]) -> int:
    """Return the most bytes that a process and its children held at once, sampled until it ends."""
    peak = 0
    while process.poll() is None:
        parents, sizes = {}, {}
        for entry in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":", 1) for line in entry.read_text().splitlines() if ":" in line)
            except OSError:
                continue
            pid = int(fields["Pid"])
            parents[pid], sizes[pid] = int(fields["PPid"]), int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
        family = {process.pid}
        while children := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= children
        peak = max(peak, sum(sizes.get(pid, 0) for pid in family))
        time.sleep(0.05)
    return peak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process tree is read from /proc")
def test_all_the_bad_files_in_one_run_do_no_harm(
    shared: Callable[[str], Path], tmp_path: Path, process: Callable[..., CommandResult]
) -> None:
    bad_folder, scratch = shared("files/bad").resolve(), tmp_path / "scratch"
    scratch.mkdir()
    before = sorted((path.name, path.stat().st_size) for path in bad_folder.iterdir())
    command = [sys.executable, "-m", "vecsearch", "index", str(bad_folder), "--db", str(tmp_path / "bad.vec"), "--json"]
    with (tmp_path / "out.json").open("w") as out, (tmp_path / "err.txt").open("w") as err:
        child = subprocess.Popen(command, stdout=out, stderr=err, text=True, env={**os.environ, "TMPDIR": str(scratch)})
        peak = measure_peak_memory(child)
    error_output = (tmp_path / "err.txt").read_text()
    assert child.returncode == 1, error_output
    assert "Traceback" not in error_output
    report = json.loads((tmp_path / "out.json").read_text())
    sources = json.loads(process("ls", "--sources", "-n", 1000, "--json", "--db", tmp_path / "bad.vec").out)["sources"]
    reported_sources = {entry["source"] for entry in [*report["failed"], *report["skipped"], *sources]}
    assert {str(path) for path in bad_folder.iterdir()} <= reported_sources
    assert all(failure["error"] and "\n" not in failure["error"] for failure in report["failed"])
    assert list(scratch.iterdir()) == []
    assert peak < MEMORY_OF_ALL
    assert json.loads(process("doctor", "--json", "--db", tmp_path / "bad.vec").out)["ok"]
    assert sorted((path.name, path.stat().st_size) for path in bad_folder.iterdir()) == before
