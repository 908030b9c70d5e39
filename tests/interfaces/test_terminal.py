"""What a person at a terminal sees: colours, lines that end with a word, a pager; and that none of it is there in a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.cells import cell_len

import vecsearch
from tests.conftest import CommandResult
from vecsearch.interfaces.cli import streams
from vecsearch.interfaces.rendering.terminal import Color, Terminal

Shell = Callable[..., CommandResult]
CODES = re.compile(r"\x1b\[[\d;?]*[a-zA-Z]|\x1b\]8;;.*?\x1b\\")
LONG_NAME = "eine-sehr-lange-datei-mit-einem-langen-namen-über-干潟の鳥.md"
PARAGRAPHS = "\n".join(f"Line {number} is about herons." for number in range(2, 200))


class Screen(NamedTuple):
    """What a terminal showed, with its codes and without, and the exit status."""

    raw: str
    text: str
    status: int


@pytest.fixture
def folder(tmp_path: Path, shell: Shell) -> Path:
    (tmp_path / "heron.md").write_text(f"# Herons\n{PARAGRAPHS}\n")
    (tmp_path / LONG_NAME).write_text("---\nauthor: Ada\nyear: 2020\n---\n干潟の水位が下がると、シギやチドリが餌を探しに来る。\n")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing of it")
    assert shell("index", ".", "--no-vectors", "-q").status == 1
    with vecsearch.open(tmp_path / ".vecsearch") as collection:
        collection.add(["first\nsecond\nthird"], ids=["typed"], vectors=[None])
    return tmp_path


def show(folder: Path, *arguments: str, width: int = 80, rows: int = 24, **environment: str) -> Screen:
    """Run a command with a terminal of this size as its stdin, stdout and stderr."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, width, 0, 0))
    unset = ("COLUMNS", "LINES", "NO_COLOR", "PAGER", "LESS")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "-m", "vecsearch", *arguments]
    environment = {**kept, "TERM": "xterm-256color", **environment}
    with subprocess.Popen(command, cwd=folder, stdin=terminal, stdout=terminal, stderr=terminal, env=environment) as child:
        os.close(terminal)
        output = b""
        while child.poll() is None or select.select([controller], [], [], 0)[0]:
            if select.select([controller], [], [], 0.1)[0]:
                try:
                    output += os.read(controller, 65_536)
                except OSError:  # the other end is closed
                    break
    os.close(controller)
    raw = output.decode().replace("\r\n", "\n")
    return Screen(raw, CODES.sub("", raw), child.wait())


@pytest.mark.parametrize("width", [40, 80, 140, 200])
def test_everything_fits_the_terminal_and_no_word_is_broken(
    folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    def run(command: str, columns: int) -> str:
        monkeypatch.setattr(Terminal, "detect", lambda *_: Terminal(columns, is_terminal=True))
        result = shell(*command.split())
        return result.out + result.err

    for command in ("ls", "status", "ls --sources", "ls --failed", "-c none ls", "search 干潟 --mode lexical", "roots", "doctor"):
        lines = run(command, width).splitlines()
        assert lines and max(map(cell_len, lines)) <= width
    for command in ("status", "-c none ls", "search --mode lexical zebra"):
        words, whole = run(command, width).split(), run(command, 1_000).split()
        too_long = " ".join(word for word in whole if len(word) >= width - 12)  # such as a path
        assert [word for word in words if word not in whole and len(word) < width - 12 and word not in too_long] == []


def test_names_states_and_errors_are_told_apart_by_colour(folder: Path) -> None:
    assert "\x1b[35mheron.md\x1b[0m" in show(folder, "ls").raw
    sources = show(folder, "ls", "--sources", width=300).raw
    assert re.search(r"\x1b\[1;31mfailed    \x1b\[0m  \x1b\[35m\S*broken\.pdf\x1b\[0m", sources)
    status = show(folder, "status").raw
    assert "\x1b[35mdefault\x1b[0m: " in status and "\x1b[2m  stemmer\x1b[0m  " in status
    assert "\x1b[1;31mError:\x1b[0m " in show(folder, "-c", "none", "ls").raw
    assert "\x1b[1;31mError:\x1b[0m " in show(folder, "ls", "--bogus").raw
    assert "\x1b[1;31m" not in show(folder, "lss", "--color", "never").raw


def test_no_code_is_written_where_none_is_wanted(folder: Path, shell: Shell) -> None:
    for command in (["ls"], ["ls", "--sources"], ["status"], ["-c", "none", "ls"], ["search", "herons", "--mode", "lexical"]):
        piped, always = shell(*command), shell(*command, "--color", "always")
        assert "\x1b" not in piped.out + piped.err
        assert "\x1b[" in always.out + always.err
        assert CODES.sub("", always.out) == piped.out
        assert "\x1b" not in shell(*command, "--color", "never").out
    assert "\x1b[" in show(folder, "ls").raw
    assert "\x1b[" not in show(folder, "ls", NO_COLOR="1").raw + show(folder, "ls", TERM="dumb").raw
    long = "x" * 300
    assert long in shell("-c", long, "ls").err  # a pipe gets whole lines


def test_json_has_no_colours_and_every_command_takes_the_option(folder: Path, shell: Shell) -> None:
    assert json.loads(shell("ls", "--json", "--color", "always").out)["total"] == 3
    assert shell("doctor", "--color", "never").status == 0
    assert shell("ls", "--color", "pink").status == 2


def test_a_long_line_for_stderr_is_one_line_where_it_is_no_terminal(folder: Path, shell: Shell) -> None:
    piped = shell("search", "zebra", "--mode", "lexical").err
    assert (
        "nothing found: none of " in piped and piped.splitlines()[0].endswith("--mode hybrid") and len(piped.splitlines()[0]) > 80
    )
    lines = show(folder, "search", "zebra", "--mode", "lexical", width=40).text.splitlines()
    assert " ".join(line.strip() for line in lines).startswith(piped.splitlines()[0])
    assert len(lines) > 2 and all(line.startswith("  ") for line in lines[1:3])


def test_the_colour_is_known_even_where_the_command_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, has_colors in (
        (["lss"], False), (["lss", "--color", "always"], True), (["--color=always", "lss"], True), (["--color"], False),
        (["--color", "always", "lss", "--color=never"], False), (["lss", "--color", "pink"], False),
    ):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["vecsearch", *arguments])
        assert streams.detect_terminal().has_colors == has_colors


def test_a_line_is_wrapped_with_its_indent() -> None:
    terminal = Terminal(30, is_terminal=True)
    line = "  model    all-MiniLM-L6-v2 · 384 dimensions · float16"
    assert list(terminal.wrap(line, 11)) == ["  model    all-MiniLM-L6-v2 ·", "           384 dimensions ·", "           float16"]
    assert list(Terminal(30).wrap(line, 11)) == [line]
    assert list(terminal.wrap("")) == [""]
    assert Terminal.detect(Color.ALWAYS).has_colors and not Terminal.detect(Color.NEVER).has_colors


# -- get


def test_get_shows_a_document_from_a_line_on(folder: Path, shell: Shell) -> None:
    lines = (folder / "heron.md").read_text().splitlines()
    for line in (1, 2, 57, 150, len(lines)):
        shown = shell("get", f"heron.md:{line}").out.splitlines()
        assert shown[0].startswith("heron.md") and shown[1:] == [*lines[line - 1 :], ""]
    document = json.loads(shell("get", "heron.md:150", "--json").out)["documents"][0]
    assert document["text"].startswith("Line 150 ")
    whole = json.loads(shell("get", "heron.md", "--json").out)["documents"][0]
    assert 0 < len(document["chunks"]) < len(whole["chunks"]) and document["chunks"][-1] == whole["chunks"][-1]
    assert shell("get", "typed:2").out.splitlines() == ["typed", "second", "third"]
    assert shell("get", "heron.md:9999").status == 1
    one_chunk = shell("get", "heron.md#1").out
    assert len(one_chunk.splitlines()) < len(lines) / 2


def test_long_output_goes_through_the_pager_on_a_terminal_only(
    folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    paged = folder / "paged"
    pager = folder / "pager"
    pager.write_text(f'#!/bin/sh\n{{ echo "LESS=$LESS"; cat; }} > {paged}\n')
    pager.chmod(0o700)
    screen = show(folder, "get", "heron.md", PAGER=str(pager))
    assert (screen.text, screen.status) == ("", 0)
    head, *lines = paged.read_text().splitlines()
    assert head == "LESS=FRX" and lines[1:] == [*(folder / "heron.md").read_text().splitlines(), ""]
    paged.unlink()
    assert "Line 199" in show(folder, "get", "heron.md:190", PAGER=str(pager)).text  # short enough
    assert "Line 199" in show(folder, "get", "heron.md", PAGER=str(pager), rows=300).text
    assert "Line 199" in show(folder, "get", "heron.md", PAGER="cat").text
    assert "Line 199" in show(folder, "get", "heron.md", PAGER=str(folder / "nowhere")).text
    monkeypatch.setenv("PAGER", str(pager))
    assert "Line 199" in shell("get", "heron.md").out
    assert '"heron.md"' in show(folder, "get", "heron.md", "--json", PAGER=str(pager)).text
    assert not paged.exists()
    show(folder, "get", "heron.md", PAGER=str(pager), LESS="R")
    assert paged.read_text().startswith("LESS=R\n")
    left = show(folder, "get", "heron.md", PAGER="head -1")  # before the end
    assert left.status == 0 and left.text.startswith("heron.md") and "Error" not in left.text
