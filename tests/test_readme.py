"""The README says what happens: its console session, its Python session and its command reference are run."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from tests.conftest import PROJECT, SAMPLE_DATA, CommandResult
from vecsearch.interfaces.cli.main import cli

README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMON = {"db", "collection", "as_json", "quiet"}


def test_make_demo_prints_what_the_readme_shows(
    tmp_path: Path, shell: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECSEARCH_DB", ".demo")
    shutil.copytree(SAMPLE_DATA, tmp_path / "sample_data")
    session = README.partition("```console\n")[2].partition("\n```")[0]
    steps = re.findall(r"^\$ vecsearch (.*)\n((?:(?!\$ ).*\n?)*)", session, re.MULTILINE)
    assert len(steps) >= 5
    for command, expected in steps:
        result = shell(*shlex.split(command))
        assert result.status == 0
        assert_alike(result.out.strip(), expected.strip())
    assert [command for command, _ in steps] == list_demo_commands()


NEAR_TIE = 0.02  # 8-bit arithmetic differs that much between processors, and so does the order of what is that close


def assert_alike(actual: str, expected: str) -> None:
    """Check for equality but for seconds, small differences of scores, the order of near ties, and the last ones."""
    seconds = re.compile(r"\d+\.\d s$", re.MULTILINE)
    actual_hits, expected_hits = (parse_hits(seconds.sub("… s", text)) for text in (actual, expected))
    assert len(actual_hits) == len(expected_hits)
    for hits, other_hits in ((actual_hits, expected_hits), (expected_hits, actual_hits)):
        last = min(hits.values())
        for text, score in hits.items():
            assert text in other_hits or 0 < score < last + NEAR_TIE, text
            assert other_hits.get(text, score) == pytest.approx(score, abs=NEAR_TIE)


def parse_hits(output: str) -> dict[str, float]:
    """Parse each hit's text and its score; what is no answer is one text without a score."""
    parts = re.split(r"^ ?(-?\d\.\d{3})  ", output, flags=re.MULTILINE)
    hits = {text.strip(): float(score) for score, text in zip(parts[1::2], parts[2::2], strict=True)}
    return hits or {output: 0.0}


def list_demo_commands() -> list[str]:
    lines = (PROJECT / "Makefile").read_text().partition("\ndemo:")[2].partition("\n\n")[0].splitlines()
    return [line.strip().removeprefix("ask ").rstrip("\\; ") for line in lines if line.strip().startswith("ask ")]


def test_the_python_session_gives_what_the_readme_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session = README.partition("```pycon\n")[2].partition("```")[0]
    test = doctest.DocTestParser().get_doctest(session, {}, "README", None, 0)
    assert len(test.examples) >= 2
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_command_reference_is_that_of_help() -> None:
    table = README.partition("| command | options | what it does |\n| --- | --- | --- |\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.strip().splitlines()]
    assert rows == [list(row) for row in build_reference(cli)]


def build_reference(group: click.Group, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (usage, options, help) of every command, from what `--help` is made of."""
    context = click.Context(group)
    for name in group.commands:
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from build_reference(command, f"{name} ")
            continue
        arguments = [
            param.metavar or param.name.upper() for param in command.params if isinstance(param, click.Argument) and param.name
        ]
        usage = " ".join([f"{prefix}{name}", *arguments]).replace("|", "or")
        options = [param for param in command.params if isinstance(param, click.Option) and param.name not in COMMON]
        assert len([param for param in command.params if param.name in COMMON]) == len(COMMON)
        yield f"`{usage}`", " ".join(map(format_option, options)), command.get_short_help_str(200)


def format_option(option: click.Option) -> str:
    value = ""
    if isinstance(option.type, click.Choice):
        value = " " + " or ".join(option.type.choices)
    elif not option.is_flag:
        value = f" {option.metavar}"
    return f"`{'/'.join(option.opts)}{value}`"
