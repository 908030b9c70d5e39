"""What a hit looks like: it fits the terminal, it can be clicked, opened and typed again, and other programs can read it."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.conftest import CommandResult
from tests.interfaces.test_cli import run_on_terminal
from vecsearch.core.results import Hit, Hits, Snippet
from vecsearch.core.types import Span
from vecsearch.interfaces.cli import last_hits
from vecsearch.interfaces.rendering import markup
from vecsearch.interfaces.rendering.hit_formats import format_csv, format_json_lines, format_markdown
from vecsearch.interfaces.rendering.hits import format_hits
from vecsearch.interfaces.rendering.terminal import Terminal, shorten_end, shorten_middle, wrap_cells

Shell = Callable[..., CommandResult]
CODES = re.compile(r"\x1b\[[\d;]*m|\x1b\]8;;.*?\x1b\\")
JAPANESE = "明日、東京の研究室で発表します。「干潟」の水位が下がると、シギやチドリが餌を探しに来る。" * 3
KEY = "research/a folder with a long name/another one/threadpoolctl-introspection.md"
LONG = "The incomprehensibilities of threadpoolctl's introspection are explained in this sentence, which is long enough. " * 4


def make_hit(key: str, text: str, **fields: object) -> Hit:
    spans = tuple(Span(match.start(), match.end()) for match in re.finditer("introspection|干潟", text))
    values = {"similarity": 0.25, "title": None, "source": None, "metadata": {}, **fields}
    snippet = Snippet(text, 0, len(text), None, spans)
    return Hit(id=key, chunk_index=0, score=1.5, text=text, start=0, end=len(text), snippet=snippet, **values)  # type: ignore[arg-type]


@pytest.fixture
def hits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hits:
    monkeypatch.chdir(tmp_path)
    deep = tmp_path / KEY
    title = "Thread-pool Controls [![Build Status](https://ci/badge.svg)](https://ci) and **more** of a title that is rather long"
    return Hits([
        make_hit("leap", "to jump high"),
        make_hit(KEY, LONG, source=str(deep), location={"lines": [1, 9], "heading": ["Usage", "Debugging"]}, title=title,
                 weak=True),
        make_hit("記事", JAPANESE, title="研究ノート：干潟の鳥について、長い題名", group_size=3, weak=True),
        make_hit("paper.pdf", LONG, source=str(tmp_path / "paper.pdf"), location={"page": 7}, similarity=None),
        make_hit("one", "x" * 300),
    ])  # fmt: skip


@pytest.mark.parametrize("width", [36, 40, 80, 140, 200, 300])
def test_every_line_fits_the_terminal_in_cells_and_no_word_is_broken(hits: Hits, width: int) -> None:
    for terminal in (Terminal(width, is_terminal=True), Terminal(width, has_colors=True, has_links=True, is_terminal=True)):
        lines = [CODES.sub("", line) for line in format_hits(hits, terminal)]
        assert max(map(cell_len, lines)) <= width
        assert all("incomprehensibilities" in line or "incomp" not in line for line in lines if line.startswith("    "))
    assert max(map(cell_len, lines)) > width - 20  # its width is used
    whole = "\n".join(lines)
    assert ("introspection.md:1" in whole, "research" in whole, KEY in whole) == (True, True, width > 100)
    assert ("+3 more" in whole, whole.count("· weak"), "badge" in whole, "**" in whole) == (True, 2, False, False)
    assert "sim 0.250" in whole and "1.500" in whole
    assert not any(line.lstrip().startswith(("、", "。", "」")) for line in lines)


@pytest.mark.parametrize("width", [36, 80])
def test_what_is_no_terminal_gets_whole_names_and_paths(hits: Hits, width: int, tmp_path: Path) -> None:
    key, file = KEY.replace("/", "-").replace(" ", "_"), KEY.replace("threadpoolctl-introspection.md", "list.csv")
    row = make_hit(key, "a row", source=str(tmp_path / file))
    lines = list(format_hits(Hits([*hits, row]), Terminal(width)))
    named = [line for line in lines if not line.startswith("    ")]
    assert f"{KEY}:1" in named[1] and key in named[-1] and any(file in line for line in lines)
    assert "weak" in "\n".join(lines)
    assert all(cell_len(line) <= width for line in lines if "introspection" in line and line.startswith("    "))


def test_only_what_matches_is_bold_and_without_colours_there_is_no_code(hits: Hits) -> None:
    colored = "\n".join(format_hits(hits, Terminal(80, has_colors=True, has_links=True)))
    assert set(re.findall(r"\x1b\[1;31m(.*?)\x1b\[0m", colored)) == {"introspection", "干潟"}
    (link,) = {uri for uri in re.findall(r"\x1b\]8;;(\S+?)\x1b", colored) if "paper" in uri}
    assert re.fullmatch(r"file://[^/]*/.*/paper\.pdf#page=7", link)
    assert "\x1b" not in "".join(format_hits(hits, Terminal(80)))


def test_an_editor_is_given_the_path_and_the_line(hits: Hits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECSEARCH_EDITOR_URI", "vscode://file{path}:{line}:{column}")
    colored = "".join(format_hits(hits, Terminal(80, has_links=True)))
    assert re.search(r"\x1b\]8;;vscode://file/\S*/a%20folder\S*introspection\.md:1:1\x1b", colored)


def test_the_formats_hold_the_same_hits(hits: Hits) -> None:
    assert [json.loads(line) for line in format_json_lines(hits)] == [json.loads(json.dumps(hit.to_dict())) for hit in hits]
    rows = list(csv.DictReader(io.StringIO("\n".join(format_csv(hits)))))
    assert [(row["id"], float(row["score"]), row["weak"]) for row in rows[:3]] == [
        ("leap", 1.5, ""), (KEY, 1.5, "true"), ("記事", 1.5, "true"),
    ]  # fmt: skip
    assert rows[1]["text"] == LONG
    markdown = "\n".join(format_markdown(hits))
    assert re.search(r"^4\. \[paper\.pdf#page=7\]\(<paper\.pdf>\) \(1\.500\)$", markdown, re.MULTILINE)
    assert "**introspection**" in markdown
    assert "\n".join(format_csv(Hits())) == "\n".join(format_csv(hits)).splitlines()[0]


@pytest.mark.parametrize(
    ("source", "text", "shown"),
    [
        ("a.md", "## Get it ##\n\nRun `pip`, **now** or _later_: [docs](https://x.y).", "Get it Run pip, now or later: docs."),
        ("a.md", "[![CI](https://ci/b.svg)](https://ci) ![logo](l.png)\n\nText<br>of it", "Textof it"),
        ("a.md", "| a | b |\n|---|:-:|\n| 1 | snake_case_name |", "a | b 1 | snake_case_name"),
        ("a.md", "> quoted\n> text\n\n```python\nx = a * b * c\n```", "quoted text x = a * b * c"),
        ("a.rst", "T\n====\n\n.. image:: b.svg\n   :target: x\n\nSee :ref:`the docs <docs>`, ``code``.", "T See the docs, code."),
        ("a.py", "def __init__(self, *args, **kwargs): # x < y > z", "def __init__(self, *args, **kwargs): # x < y > z"),
        (None, "2 * 3 * 4 [x](y)", "2 * 3 * 4 [x](y)"),
    ],
)  # fmt: skip
def test_marks_of_markup_are_no_text(source: str | None, text: str, shown: str) -> None:
    cleaned = markup.clean_text(markup.MarkedText.mark(text, [Span(0, len(text))]), source)
    assert cleaned.text == shown
    assert len(cleaned.marks) == len(shown)


def test_texts_are_wrapped_and_shortened_by_cells() -> None:
    for text in (JAPANESE, LONG.strip(), "x" * 99, "a 干潟b c" * 9, "한국어 문장은 띄어쓰기로 나뉜다 " * 3, "", " "):
        flat = " ".join(text.split())
        for width in (2, 7, 40):
            parts = [flat[part] for part in wrap_cells(flat, width)]
            assert "".join("".join(parts).split()) == "".join(flat.split())
            assert all(cell_len(part) <= width for part in parts)
            assert cell_len(shorten_end(flat, width)) <= width
            assert cell_len(shorten_middle(flat, width)) <= width
    assert shorten_middle("research/notes/alembic.md", 16) == "resea…alembic.md"
    assert shorten_end("a few words here", 12) == "a few words…"
    assert markup.clean_title("UNKNOWN") == ""


# -- in the shell


@pytest.fixture
def folder(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Index a folder without vectors: no model is loaded."""
    monkeypatch.setattr(last_hits, "get_cache_folder", lambda kind: tmp_path / "cache" / kind)  # that of the models stays
    notes = tmp_path / "research/notes"
    notes.mkdir(parents=True)
    filler = "\n\n".join(f"Paragraph {n} is about the weather of a day, and of its night." for n in range(60))
    (notes / "heron.md").write_text(f"# Herons\n\n{filler}\n\nA heron strikes at fish.\n\n{filler}\n\nHerons starve.\n")
    (notes / "list.jsonl").write_text('{"id": "heron.md#3", "text": "A fish."}\n{"id": "7", "text": "An eel, no fish."}\n')
    assert shell("index", "research", "--no-vectors", "-q").status == 0
    return notes


def test_what_is_printed_can_be_typed_again(folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert re.search(
        r"^1   \d\.\d{3}  heron\.md:3 · \+\d more · Herons$", shell("search", "heron", "--mode", "lexical").out, re.M
    )
    answer = shell("search", "strikes", "--mode", "lexical", "--where", "$type=md")
    lines = answer.out.splitlines()
    assert re.match(r"1   \d\.\d{3}  heron\.md:\d+ · Herons$", lines[0])
    assert re.fullmatch(r"1 of 1 · \d+\.\d s\n", answer.err.partition("\n")[0] + "\n")
    handle = lines[0].split()[2]
    number = int(handle.partition(":")[2])
    assert (folder / "heron.md").read_text().splitlines()[number - 1] == "A heron strikes at fish."
    key = "research/notes/heron.md"
    chunks = json.loads(shell("search", "heron", "--mode", "lexical", "--chunks", "--json").out)["hits"]
    assert len([hit for hit in chunks if hit["id"] == key]) >= 2
    for hit in chunks:
        document = json.loads(shell("get", f"{hit['id']}#{hit['chunk_index']}", "--json").out)["documents"][0]
        assert (document["id"], document["text"]) == (hit["id"], hit["text"])
    assert json.loads(shell("get", "heron.md#3", "--json").out)["documents"][0]["text"] == "A fish."  # an id of that very text
    assert shell("get", f"{key}#99").status == shell("get", "heron.md:9999").status == 1
    assert json.loads(shell("get", "heron.md", "--json").out)["documents"][0]["id"] == key
    for missed in (
        ["similar", "--id", "heron.md:9999"],
        ["get", "heron.md:9999"],
        ["open", "heron.md:9999"],
        ["similar", f"{key}#99"],
    ):
        said = shell(*missed)
        assert (said.status, said.out) == (1, "") and f"the document {key!r} is there, but not the place '" in said.err
        assert re.search(r"in it; it has \d+ chunks, #0 to #\d+, lines 1 to 2\d\d\b", said.err)
        assert ("vecsearch similar --text" in said.err) == (missed[1] == f"{key}#99")
    assert json.loads(shell("get", "heron.md:9999", key, "--missing", "skip", "--json").out)["documents"][0]["id"] == key
    assert "still to be made" in shell("similar", "--id", f"{key}#1").err  # it is known


def test_a_hit_is_opened_at_its_line(folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = tmp_path / "record"
    editor = tmp_path / "an editor"
    editor.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {record}\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", f"'{editor}' -w")
    assert "no last search" in shell("open", 1).err
    found = json.loads(shell("search", "heron", "fish", "--mode", "lexical", "--where", "$type=md", "--json").out)["hits"]
    line = found[0]["snippet"]["line"]
    for typed in (1, f"research/notes/heron.md:{line}"):
        assert shell("open", typed).status == 0
        assert record.read_text().split("\n") == ["-w", f"+{line}", str(folder / "heron.md"), ""]
    assert "there is no hit 2" in shell("open", 2).err
    assert shell("open", 7).status == 0  # no hit, but a document
    assert record.read_text().split("\n")[-2] == str(folder / "list.jsonl")
    (kept,) = (tmp_path / "cache/last-hits").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    monkeypatch.setenv("VISUAL", "no-such-editor")
    assert "$VISUAL" in shell("open", 1).err
    monkeypatch.setenv("VISUAL", "")
    for no_command in (" ", "'"):
        monkeypatch.setenv("EDITOR", no_command)
        wrong = shell("open", 1)
        assert wrong.status == 2 and f"$EDITOR is {no_command!r}, which is no command" in wrong.err
    (folder / "heron.md").unlink()
    assert "vecsearch get" in shell("open", 1).err


def test_answers_are_printed_as_other_programs_want_them(folder: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    question = ["search", "fish", "--mode", "lexical"]
    assert sorted(shell(*question, "-l").out.split()) == ["research/notes/heron.md", "research/notes/list.jsonl"]
    answer = json.loads(shell(*question, "--format", "json").out)
    assert (answer["total"], len(answer["hits"])) == (3, 3)
    assert [json.loads(line)["id"] for line in shell(*question, "--format", "jsonl").out.splitlines()] == [
        hit["id"] for hit in answer["hits"]
    ]
    assert shell(*question, "--format", "csv").out.count("research/notes") >= 3
    assert shell(*question, "--format", "md").out.startswith("1. [")
    for wrong in (["-l", "--json"], ["--format", "csv", "--json"], ["--format", "xml"], ["--color", "pink"]):
        assert shell(*question, *wrong).status == 2
    nothing = shell("search", "zebra", "--mode", "lexical")
    assert (nothing.status, nothing.out) == (0, "")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shell(*question).out
    assert "\x1b[1;31mfish\x1b[0m" in shell(*question, "--color", "always").out
    assert shell(*question, "--quiet").err == ""


def test_a_terminal_gets_colours_and_links(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "vecsearch", "search", "fish", "--mode", "lexical"]
    script = f"import os, sys; os.dup2(2, 1); os.environ.pop('NO_COLOR', None); os.execv(sys.executable, {command!r})"
    terminal_output, _ = run_on_terminal([sys.executable, "-c", script], tmp_path)
    assert "\x1b]8;;file://" in terminal_output
    assert "\x1b[1;31mfish" in terminal_output


@pytest.mark.parametrize("arguments", ["search heron --chunks --mode lexical -n 90", "get research/notes/heron.md", "ls --json"])
@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_reader_that_has_enough_is_no_failure(folder: Path, tmp_path: Path, arguments: str, reader: str) -> None:
    (folder / "heron.md").write_text("A heron strikes at fish.\n\n" * 5_000)  # more than a pipe holds
    if "get" in arguments:
        subprocess.run([sys.executable, "-m", "vecsearch", "index", "research", "--no-vectors", "-q"], cwd=tmp_path, check=True)
    script = f"{sys.executable} -m vecsearch {arguments} | {reader}; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = result.stdout.splitlines()
    assert (lines[-1], len(lines)) == ("0", 2 if reader == "head -1" else 1)
    assert "Error" not in result.stderr and "BrokenPipe" not in result.stderr


# -- rows


ROWS = {
    "products.csv": 'sku,name,price,description\r\nA-1,Tent,120,"A tent for two, light\r\nand dry"\r\n'
    'A-2,Stove,45,"A ""small"" stove, fits in A-1"\r\nA-10,Boots,99,Boots for wet paths\r\n',
    "words.txt": "bound\n\njump\nleap\nriver bank\nbank\n",
    "kettles.jsonl": '{"sku": "x1", "description": "A red kettle"}\n\n{"sku": "x2", "description": "A blue kettle"}\n',
    "pans.json": '[\n {"sku": "p1",\n  "description": "A pan for eggs"},\n {"sku": "p2", "description": "A pan for fish"}\n]\n',
}


@pytest.fixture
def rows(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(last_hits, "get_cache_folder", lambda kind: tmp_path / "cache" / kind)
    for name, text in ROWS.items():
        (tmp_path / name).write_text(text, newline="")
        assert shell("index", name, "--no-vectors", "-q").status == 0
    return tmp_path


def test_a_row_is_shown_with_its_line_in_the_file_as_it_is_now(rows: Path, shell: Shell) -> None:
    def find(*words: str) -> set[str]:
        lines = shell("search", *words, "--mode", "lexical").out.splitlines()
        return {line.split(" · ")[0].split("  ")[-1] for line in lines}

    assert find("tent") == {"products.csv#A-1:2"}
    assert find("stove", "boots") == {"products.csv#A-2:4", "products.csv#A-10:5"}
    assert find("bank", "leap") == {"words.txt#bank:6", "words.txt#river bank:5", "words.txt#leap:4"}
    assert find("kettle") == {"kettles.jsonl#x1:1", "kettles.jsonl#x2:3"}
    assert find("pan") == {"pans.json#p1:2", "pans.json#p2:4"}
    (rows / "words.txt").write_text("a new one\n" + ROWS["words.txt"])
    assert find("leap") == {"words.txt#leap:5"}
    (rows / "words.txt").write_text("leap\nleap\n")
    assert find("leap") == {"words.txt#leap"}  # either could be meant
    (rows / "words.txt").unlink()
    assert find("leap") == {"words.txt#leap"}
    (row,) = csv.DictReader(io.StringIO(shell("search", "tent", "--mode", "lexical", "--format", "csv").out))
    assert (row["id"], row["line"]) == ("products.csv#A-1", "2")
    (hit,) = json.loads(shell("search", "tent", "--mode", "lexical", "--json").out)["hits"]
    assert json.loads(shell("search", "tent", "--mode", "lexical", "--format", "jsonl").out) == hit
    assert hit["snippet"]["line"] == 2


def test_what_is_printed_of_a_row_can_be_typed_and_opened(rows: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = rows / "editor"
    editor.write_text(f'#!/bin/sh\necho "$@" > {rows}/opened\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    (printed,) = (line.split("  ")[-1].split(" · ")[0] for line in shell("search", "boots", "--mode", "lexical").out.splitlines())
    assert printed == "products.csv#A-10:5"
    assert shell("get", printed).out == shell("get", "products.csv#A-10").out
    for typed in ("1", printed, "products.csv#A-10"):
        assert shell("open", typed).status == 0
        assert (rows / "opened").read_text() == f"+5 {rows}/products.csv\n"
        (rows / "opened").unlink()
    assert shell("get", "words.txt#no such:5").status == 1
    for typed in ("leap", "words.txt#leap", "words.txt#leap:4"):
        assert "is still to be made: vecsearch index --vectors-only" in shell("similar", typed).err


def test_a_record_with_an_id_of_its_own_is_shown_with_its_file_and_line(rows: Path, shell: Shell) -> None:
    assert shell("index", "kettles.jsonl", "--id", "sku", "--text", "description", "--no-vectors", "-q").status == 0
    found = shell("search", "blue", "kettle", "--mode", "lexical", "-n", 1)
    assert re.fullmatch(r"1   \d\.\d{3}  x2 · kettles\.jsonl:3 · A blue kettle\n", found.out)
