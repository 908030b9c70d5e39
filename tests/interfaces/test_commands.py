"""Finding one's way in the shell: help, completion, questions before what cannot be undone, tables of what there is."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import click
import pytest

import vecsearch
from tests.conftest import PROJECT, CommandResult
from vecsearch.core.nesting import load_json
from vecsearch.interfaces.cli.examples import ENVIRONMENT, EXAMPLES
from vecsearch.interfaces.cli.main import cli

Shell = Callable[..., CommandResult]


def walk_commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.commands:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from walk_commands(command, f"{path}{name} ")


def test_the_help_lists_every_command_in_a_section_within_80_columns(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = shell("--help").out
    listed = re.findall(r"^  ([a-z]+)  ", text, re.MULTILINE)
    assert sorted(listed) == sorted(cli.commands) and "Other commands" not in text
    assert "...\n" not in text.partition("\n")[2] and max(map(len, text.splitlines())) <= 80
    assert all(f"\n    {name} " in text for name in ENVIRONMENT)
    assert shell("help").out == text == shell("-h").out
    assert shell("-V").out == shell("--version").out == f"vecsearch, version {vecsearch.__version__}\n"


def test_each_variable_that_the_help_names_is_read() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "vecsearch").rglob("*.py") if path.stem != "examples")
    elsewhere = {"HF_HUB_OFFLINE"}  # by a library
    assert {name for name in ENVIRONMENT if f'"{name}"' not in code} <= elsewhere
    assert set(re.findall(r'"(VECSEARCH_[A-Z_]+)"', code)) <= {*ENVIRONMENT, "_VECSEARCH_COMPLETE"}


def test_each_command_has_two_examples_that_can_be_typed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commands = dict(walk_commands(cli))
    assert EXAMPLES.keys() == commands.keys()
    for path, examples in EXAMPLES.items():
        result = shell("help", *path.split())
        assert result.out == shell(*path.split(), "--help").out
        assert result.out.endswith("Examples:\n" + "".join(f"    {example}\n" for example in examples))
        assert len(examples) >= 2 and max(map(len, result.out.splitlines())) <= 80, path
        for example in examples:
            (typed,) = re.findall(r"vecsearch ([^|)>#]*)", example) if "'" not in example else [example.partition(" ")[2]]
            words = shlex.split(typed)
            assert words[: len(path.split())] == path.split()
            commands[path].make_context(path, words[len(path.split()) :])  # raises where it cannot be parsed
    unknown = shell("help", "serach")
    assert unknown.status == 2 and "Did you mean 'search'?" in unknown.err
    assert shell("help", "search", "deeper").status == 2


def complete(shell: Shell, monkeypatch: pytest.MonkeyPatch, line: str) -> list[str]:
    """Return what is offered for the last word of a line, as bash asks for it."""
    words = line.split(" ")
    with monkeypatch.context() as patch:
        patch.setenv("_VECSEARCH_COMPLETE", "bash_complete")
        patch.setenv("COMP_WORDS", line)
        patch.setenv("COMP_CWORD", str(len(words) - 1))
        result = shell()
    assert (result.status, result.err) == (0, "")
    return [item.removeprefix("plain,") for item in result.out.split("\n") if item]


def test_commands_files_collections_ids_and_keys_are_completed(
    notes: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with vecsearch.connect(notes) as database:
        database.create_collection("words").set_metadata({})
    cases = {
        "vecsearch sea": ["search"],
        "vecsearch help re": ["reembed", "recommend", "restore"],
        "vecsearch index ol": ["file,ol"],
        "vecsearch search x --db ol": ["dir,ol"],
        "vecsearch ls --source ol": ["file,ol"],
        "vecsearch backup a": ["file,a"],
        "vecsearch search -c ": ["default", "words"],
        "vecsearch collections delete w": ["words"],
        "vecsearch get ": ["bound", "leap", "old/sea.txt", "planet"],
        "vecsearch get old": ["old/sea.txt"],
        "vecsearch get leap": ["leap"],
        "vecsearch -c words get ": [],
        "vecsearch --db nowhere get ": [],
        "vecsearch recommend --positive pl": ["planet"],
        "vecsearch facets ": ["lang", "year"],
        "vecsearch completion ": ["bash", "zsh", "fish"],
    }
    assert {line: complete(shell, monkeypatch, line) for line in cases} == cases


def test_the_scripts_for_completion_are_printed(shell: Shell) -> None:
    for name, part in (("bash", "complete -o nosort -F"), ("zsh", "#compdef vecsearch"), ("fish", "complete --no-files")):
        result = shell("completion", name)
        assert result.status == 0 and part in result.out and "_VECSEARCH_COMPLETE" in result.out
        assert load_json(shell("completion", name, "--json").out)["script"].strip() == result.out.strip()
    assert shell("completion", "tcsh").status == 2


def make_shell_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which a shell finds `vecsearch`, and a file to complete."""
    (folder / "bin").mkdir()
    command = folder / "bin" / "vecsearch"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m vecsearch "$@"\n')
    command.chmod(0o755)
    (folder / "products-of-2024.csv").write_text("a,b\n")
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "PS1": "$ ", "TERM": "dumb", "HOME": str(folder)}


@pytest.mark.parametrize(
    ("name", "options", "prepare"),
    [("bash", ["--norc", "--noprofile", "-i"], ""), ("zsh", ["-f", "-i"], "autoload -U compinit; compinit -u; ")],
    ids=["bash", "zsh"],
)
def test_a_real_shell_completes_files_and_ids(notes: Path, tmp_path: Path, name: str, options: list[str], prepare: str) -> None:
    program = which(name)
    if program is None:
        pytest.skip(f"there is no {name}")
    env = make_shell_environment(tmp_path)
    master, slave = pty.openpty()
    with subprocess.Popen(
        [program, *options], cwd=tmp_path, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ):
        os.write(master, f'{prepare}eval "$(vecsearch completion {name})"; echo READ""Y\n'.encode())
        shown = read_until(master, "READY")
        os.write(master, b"vecsearch index prod\t")
        shown += read_until(master, "products-of-2024.csv")
        os.write(master, b"\x15vecsearch get plan\t")
        shown += read_until(master, "get planet")
        os.write(master, b"\x15exit\n")
    os.close(master)
    os.close(slave)
    assert "products-of-2024.csv" in shown and "get planet" in shown


def test_a_real_fish_completes_commands_files_and_ids(notes: Path, tmp_path: Path) -> None:
    program = which("fish")
    if program is None:
        pytest.skip("there is no fish")
    env = make_shell_environment(tmp_path)
    cases = {"sea": "search", "index prod": "products-of-2024.csv", "get plan": "planet", "search -c def": "default"}
    script = "; ".join(["vecsearch completion fish | source", *(f"complete -C 'vecsearch {line}'" for line in cases)])
    result = subprocess.run(
        [program, "--no-config", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert [line.partition("\t")[0] for line in result.stdout.splitlines()] == list(cases.values())


def read_until(terminal: int, text: str) -> str:
    """Return what a terminal shows until it shows a text, or for long enough."""
    shown, end = b"", time.monotonic() + 60
    while text.encode() not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 4096)
    return shown.decode(errors="replace")


def test_what_cannot_be_undone_is_asked_for_on_a_terminal(notes: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("backup", "a.backup")
    with vecsearch.connect(notes) as database:
        database.create_collection("words")
    monkeypatch.setattr("vecsearch.interfaces.cli.questions.is_answerable", lambda: True)
    questions = {
        ("delete", "--where", "lang=en"): "delete 1 document (leap)? [y/N]: ",
        ("delete", "--source", "old"): "delete 2 documents (old/sea.txt, planet)? [y/N]: ",
        ("delete", "--all"): "delete 4 documents (bound, leap, old/sea.txt and 1 more)? [y/N]: ",
        ("collections", "delete", "words"): f"delete the collection 'words' with 0 documents from {notes}? [y/N]: ",
        ("restore", "a.backup", "--replace"): f"replace everything in {notes} by what a.backup holds? [y/N]: ",
    }
    for command, question in questions.items():
        for answer in (b"n\n", b"\n"):
            result = shell(*command, stdin=answer)
            assert (result.status, result.out) == (1, "")
            assert result.err.replace("\n", " ").split() == f"{question}nothing was changed".split()
        assert shell(*command, stdin=b"").status == 130  # Ctrl-D
    assert len(load_json(shell("ls", "--json").out)["documents"]) == 4
    assert "[y/N]" not in shell("delete", "--where", "lang=xx").err  # nothing to ask about
    assert "deleted 1 document" in shell("delete", "--where", "lang=en", stdin=b"y\n").out
    assert shell("delete", "bound").status == 0  # by its id
    assert shell("restore", "a.backup", "--replace", "-y").status == 0
    assert len(load_json(shell("ls", "--json").out)["documents"]) == 4
    monkeypatch.undo()
    assert shell("--db", notes, "delete", "--where", "lang=en").status == 0  # in a script nobody is asked


def test_status_models_and_collections_say_what_there_is(notes: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECSEARCH_CACHE", "caches")
    status = shell("status")
    assert "keys     lang (text) · year (number)" in status.out and "cache of prepared models: caches\n" in status.out
    (collection,) = load_json(shell("status", "--json").out)["collections"]
    assert collection["keys"][1] == {"key": "year", "documents": 1, "types": {"number": 1}}
    assert collection["changed_at"].endswith("+00:00")
    assert [line.split() for line in shell("collections").out.splitlines()] == [
        ["COLLECTION", "DOCUMENTS", "MODEL"], ["default", "4", "all-MiniLM-L6-v2"],
    ]  # fmt: skip
    assert load_json(shell("collections", "--json").out) == {
        "collections": [{"name": "default", "documents": 4, "model": "all-MiniLM-L6-v2"}]
    }
    head, *models = shell("models").out.splitlines()
    assert head.split() == ["MODEL", "DIMENSIONS", "MB", "HERE", "LANGUAGES", "COLLECTIONS"]
    assert models[0].split() == ["all-MiniLM-L6-v2", "(default)", "384", "91", "yes", "English", "default"]
    assert any("languages" in model and model.split()[3] == "no" for model in models[1:])
    assert shell("ls", "--failed").err == "no failed files\n"


def test_times_are_those_of_this_machine(notes: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with vecsearch.open(notes) as collection:
        (document,) = collection.list_documents(limit=1)
    hours: dict[str, str] = {}
    for zone in ("UTC", "Asia/Kathmandu"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        hours[zone] = re.findall(r"(\d\d:\d\d)\)", shell("ls", "-n", "1").out)[0]
    monkeypatch.undo()
    time.tzset()
    assert document.indexed_at[11:16] == hours["UTC"]
    minutes = {zone: int(hour[:2]) * 60 + int(hour[3:]) for zone, hour in hours.items()}
    assert (minutes["Asia/Kathmandu"] - minutes["UTC"]) % (24 * 60) == 5 * 60 + 45


def test_doctor_says_of_each_thing_whether_it_is_sound(notes: Path, shell: Shell, tmp_path: Path) -> None:
    lines = shell("doctor").out.splitlines()
    assert "ok     vectors of 'default'" in lines and lines[-1] == "no problem found"
    assert all(line.startswith("ok ") for line in lines[:-1])
    for number in range(12):
        (tmp_path / f"old/{number}.pdf").write_bytes(b"%PDF-1.4 broken")
    assert shell("index", "old").status == 1
    result = shell("doctor")
    assert result.status == 0 and result.out.count("could not be read") == 1
    assert re.search(
        r"^note   files of 'default'\n       default: 12 files could not be read: .* and 10 more\n", result.out, re.MULTILINE
    )
    assert result.out.endswith("no problem found; 1 note\n")
    checks = load_json(shell("doctor", "--json").out)["checks"]
    assert [check["check"] for check in checks if check["result"] == "note"] == ["files of 'default'"]


def test_doctor_tells_one_damage_once(notes: Path, shell: Shell) -> None:
    file = notes / "vecsearch.db"
    data = bytearray(file.read_bytes())
    for start in range(4096 * 4, len(data), 4096):
        data[start : start + 300] = b"\xff" * 300
    file.write_bytes(data)
    result = shell("doctor")
    assert result.status == 1 and "see `vecsearch doctor" not in result.out
    assert result.out.count("restore") == 1 and result.out.endswith("1 error found\n")


def test_the_demo_ends_with_commands_that_can_be_typed() -> None:
    recipe = (PROJECT / "Makefile").read_text().partition("\ndemo:")[2].partition("\n\n")[0]
    typed = re.findall(r"'  (vecsearch [^']*)'", recipe)
    commands = dict(walk_commands(cli))
    assert len(typed) >= 3 and "export PATH=" in recipe and "VECSEARCH_DB=" in recipe
    for line in typed:
        _, command, *words = shlex.split(line)
        commands[command].make_context(command, words)
