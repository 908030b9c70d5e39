"""The command line as its users see it: commands, their JSON, and their progress output."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CommandResult

HIT = ["id", "chunk_index", "score", "similarity", "text", "title", "source", "start", "end", "metadata", "location", "snippet"]
Shell = Callable[..., CommandResult]


@pytest.fixture
def corpus(tmp_path: Path, shell: Shell) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "bats.md").write_text("# Bats\n\nFlying mammals that hunt at dusk.\n")
    (folder / "bank.txt").write_text("A savings bank lends money to people that build a house.")
    (folder / "notes.jsonl").write_text(
        '{"id": "n1", "text": "Leap over the brook.", "lang": "en", "year": 2020}\n'
        '{"id": "n2", "title": "Hop", "text": "To jump on one foot.", "metadata": {"lang": "en", "year": 2021}}\n'
    )
    assert shell("index", "docs").status == 0
    return folder


def parse_json(result: CommandResult) -> Any:
    assert result.status == 0, result.err
    return json.loads(result.out)


def test_index_reports_what_it_did(corpus: Path, shell: Shell) -> None:
    (corpus / "bank.txt").write_text("Another text.")
    (corpus / "bats.md").unlink()
    (corpus / "new.html").write_text("<title>New</title><p>A page.")
    (corpus / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    report = parse_json(shell("index", "docs", "--json"))
    assert list(report) == [
        "added", "updated", "unchanged", "removed", "failed", "skipped", "documents", "chunks", "seconds",
        "pending_vectors", "stopped", "reread", "rows",
    ]  # fmt: skip
    assert [report[key] for key in ("added", "updated", "unchanged", "removed", "failed")] == [1, 1, 2, 1, []]
    assert report["skipped"][0]["source"] == str(corpus / "picture.png")
    assert (report["documents"], report["chunks"]) == (4, 4)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_search_gives_exactly_the_agreed_fields(corpus: Path, shell: Shell, mode: str) -> None:
    answer = parse_json(shell("search", "flying", "mammals", "--mode", mode, "-n", 2, "--json"))
    assert list(answer) == ["query", "mode", "took_ms", "total", "hits", "pending_vectors"]
    assert (answer["query"], answer["mode"]) == ("flying mammals", mode)
    hit = answer["hits"][0]
    assert [key for key in hit if key not in ("group_size", "weak")] == HIT
    assert hit["snippet"]["text"].startswith("Flying mammals")
    assert hit["snippet"]["line"] == 3
    assert (hit["id"], hit["chunk_index"], hit["title"], hit["source"]) == ("docs/bats.md", 0, "Bats", str(corpus / "bats.md"))
    assert hit["text"] == (corpus / "bats.md").read_text()[hit["start"] : hit["end"]]
    assert (hit["similarity"] is None) == (mode == "lexical")
    if mode == "dense":
        assert hit["score"] == hit["similarity"]


def test_similar_takes_an_id_a_text_or_a_file_and_never_gives_the_document_itself(corpus: Path, shell: Shell) -> None:
    by_id = parse_json(shell("similar", "--id", "n1", "--json"))
    assert by_id["hits"][0]["id"] == "n2"
    assert "n1" not in {hit["id"] for hit in by_id["hits"]}
    assert parse_json(shell("similar", "--text", "to jump", "--json"))["hits"][0]["id"] == "n2"
    by_file = parse_json(shell("similar", "--file", corpus / "bats.md", "--json"))
    assert "docs/bats.md" not in {hit["id"] for hit in by_file["hits"]}
    assert shell("similar", "--id", "n1", "--text", "x").status == 2


def test_get_ls_and_status_give_the_agreed_fields(corpus: Path, shell: Shell) -> None:
    documents = parse_json(shell("get", "n2", "docs/bats.md", "--json"))["documents"]
    assert [document["id"] for document in documents] == ["n2", "docs/bats.md"]
    assert list(documents[0]) == ["id", "source", "title", "text", "metadata", "chunks"]
    assert documents[0]["chunks"] == [{"chunk_index": 0, "start": 0, "end": 20}]
    assert documents[0]["metadata"] == {"lang": "en", "year": 2021}
    listing = parse_json(shell("ls", "--limit", 2, "--offset", 1, "--json"))
    assert listing["total"] == 4
    assert [document["id"] for document in listing["documents"]] == ["docs/bats.md", "n1"]
    assert list(listing["documents"][0]) == ["id", "source", "title", "chunks", "indexed_at"]
    (status,) = parse_json(shell("status", "--json"))["collections"]
    assert (status["name"], status["documents"], status["chunks"]) == ("default", 4, 4)
    assert (status["model"], status["dimension"], status["index"]["state"]) == ("all-MiniLM-L6-v2", 384, "current")
    assert {"text", "vectors", "index"} <= status["bytes"].keys()


def test_pages_of_ls_make_the_whole_list(corpus: Path, shell: Shell) -> None:
    pages = [parse_json(shell("ls", "-n", 1, "--offset", n, "--json"))["documents"] for n in range(5)]
    assert [page[0]["id"] for page in pages[:4]] == ["docs/bank.txt", "docs/bats.md", "n1", "n2"]
    assert pages[4] == []
    assert "1 to 1 of 4; the next: --offset 1" in shell("ls", "-n", 1).out


def test_delete_by_id_by_metadata_and_by_source(corpus: Path, shell: Shell) -> None:
    returning = {"returning": ["n1"], "forgotten": []}
    for dry_run in (True, False):
        deleted = parse_json(shell("delete", "--where", "year=2020", "--json", *(["--dry-run"] if dry_run else [])))
        assert deleted == {"deleted": ["n1"], "dry_run": dry_run, **returning}
    assert parse_json(shell("delete", "docs/bats.md", "--json"))["deleted"] == ["docs/bats.md"]
    assert parse_json(shell("ls", "--json"))["total"] == 2
    assert parse_json(shell("delete", "--source", "docs", "--json"))["deleted"] == ["docs/bank.txt", "n2"]
    assert parse_json(shell("ls", "--json"))["total"] == 0
    assert parse_json(shell("index", "docs", "--json"))["added"] == 4


def test_get_by_source_gives_every_document_of_a_file(corpus: Path, shell: Shell) -> None:
    assert [document["id"] for document in parse_json(shell("get", "--source", "docs/notes.jsonl", "--json"))["documents"]] == [
        "n1",
        "n2",
    ]


def test_stdin_adds_and_replaces_and_removes_nothing(corpus: Path, shell: Shell) -> None:
    first = parse_json(
        shell("index", "-", "--json", stdin=b'{"_id": 7, "text": "seven", "tag": "x"}\n{"title": "only a title"}\n')
    )
    assert (first["added"], first["removed"], first["documents"]) == (2, 0, 6)
    report = parse_json(shell("index", "-", "--json", stdin=b'{"_id": 7, "text": "seven changed", "tag": "x"}\n'))
    assert (report["added"], report["updated"], report["documents"]) == (0, 1, 6)
    assert parse_json(shell("get", "7", "--json"))["documents"][0]["metadata"] == {"tag": "x"}


def test_a_line_gone_from_a_jsonl_file_is_removed(corpus: Path, shell: Shell) -> None:
    notes = corpus / "notes.jsonl"
    notes.write_text(notes.read_text().splitlines()[1])
    assert parse_json(shell("index", "docs/notes.jsonl", "--json"))["removed"] == 1
    assert shell("get", "n1").status == 1


def test_globs_and_single_files_are_taken(corpus: Path, shell: Shell) -> None:
    assert parse_json(shell("index", "docs/*.md", "-c", "globbed", "--json"))["added"] == 1
    assert parse_json(shell("index", corpus / "bank.txt", "-c", "globbed", "--json"))["documents"] == 2


@pytest.mark.parametrize(("split", "chunks"), [("lines", 4), ("paragraphs", 2), ("tokens", 1)])
def test_split_says_where_to_cut(tmp_path: Path, shell: Shell, split: str, chunks: int) -> None:
    text = "leap\nhop\n\nskip\nbound\n"
    (tmp_path / "words.txt").write_text(text)
    assert parse_json(shell("index", "words.txt", "--split", split, "--json"))["chunks"] == chunks
    (document,) = parse_json(shell("get", "words.txt", "--json"))["documents"]
    pieces = [text[chunk["start"] : chunk["end"]] for chunk in document["chunks"]]
    assert "".join(pieces).split() == [] or "\n".join(pieces).split() == text.split()


def test_collections_stand_apart(corpus: Path, shell: Shell) -> None:
    (corpus.parent / "other.txt").write_text("Something else.")
    shell("index", "other.txt", "-c", "second")
    assert [entry["name"] for entry in parse_json(shell("collections", "--json"))["collections"]] == ["default", "second"]
    assert [hit["id"] for hit in parse_json(shell("search", "money", "-c", "second", "--json"))["hits"]] == ["other.txt"]
    assert shell("collections", "rename", "second", "third").status == 0
    assert shell("collections", "rename", "third", "default").status == 1
    assert shell("collections", "delete", "third").status == 0
    assert shell("collections", "list").out.splitlines()[1:] == ["default             4  all-MiniLM-L6-v2"]
    assert parse_json(shell("ls", "--json"))["total"] == 4
    assert parse_json(shell("doctor", "--json"))["findings"] == []


def test_models_name_the_default_and_its_users(corpus: Path, shell: Shell) -> None:
    model = parse_json(shell("models", "--json"))["models"][0]
    assert model == {
        "name": "all-MiniLM-L6-v2", "default": True, "available": True, "collections": ["default"],
        "languages": "English", "dimension": 384, "megabytes": 91,
    }  # fmt: skip


def test_every_command_speaks_to_people_too(corpus: Path, shell: Shell) -> None:
    for command in (
        ["index", "docs"], ["search", "bats"], ["similar", "--id", "n1"], ["get", "n1"], ["ls"], ["status"], ["models"],
        ["doctor"], ["optimize"], ["collections"], ["delete", "n1", "--dry-run"],
    ):  # fmt: skip
        result = shell(*command)
        notes = re.sub(r"\d of 4 · \d+\.\d s\n", "", result.err)
        assert (result.status, notes) == (0, ""), command
        assert result.out.strip(), command


def test_quiet_prints_data_only(corpus: Path, shell: Shell) -> None:
    assert shell("index", "docs", "-q") == CommandResult(0, "", "")
    assert shell("search", "bats", "-q").out
    assert shell("delete", "n1", "-q") == CommandResult(0, "", "")


def test_what_a_document_says_does_not_steer_the_terminal(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "evil.txt").write_text("bats \x1b[31mred\x1b]0;title\x07 \x9b2J \u202egnp.exe")
    shell("index", "evil.txt")
    for command in (["search", "bats"], ["get", "evil.txt"]):
        result = shell(*command)
        assert not set("\x1b\x07\x9b\u202e") & set(result.out)
    assert "\x1b" in parse_json(shell("get", "evil.txt", "--json"))["documents"][0]["text"]


def test_the_nearest_database_upward_is_found(corpus: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (corpus / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(corpus / "deep" / "er")
    assert parse_json(shell("ls", "--json"))["total"] == 4
    monkeypatch.setenv("VECSEARCH_DB", str(corpus.parent / "elsewhere"))
    assert "no database at" in shell("ls").err
    assert parse_json(shell("ls", "--db", corpus.parent / ".vecsearch", "--json"))["total"] == 4


def test_only_index_makes_a_database(tmp_path: Path, shell: Shell) -> None:
    for command in (
        ["search", "x"], ["similar", "--text", "x"], ["get", "x"], ["ls"], ["status"], ["doctor"], ["optimize"], ["delete", "x"],
        ["collections", "list"], ["collections", "delete", "x"],
    ):  # fmt: skip
        result = shell(*command)
        assert (result.status, result.out) == (1, ""), command
        assert result.err.startswith("Error: no database"), command
        assert result.err.count("\n") == 1, command
    assert list(tmp_path.iterdir()) == []


def test_progress_shows_on_a_terminal_only(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("\n".join(f"word {n}" for n in range(600)))
    terminal_output, out = run_on_terminal(
        [sys.executable, "-m", "vecsearch", "index", "words.txt", "--split", "lines"], tmp_path
    )
    assert "chunks" in terminal_output
    assert "1 of 1 file" in terminal_output
    assert out.startswith("1 added")


def run_on_terminal(command: list[str], folder: Path) -> tuple[str, str]:
    """Return what a command writes to a terminal on stderr, and to a pipe on stdout."""
    controller, terminal = pty.openpty()
    with subprocess.Popen(command, cwd=folder, stderr=terminal, stdout=subprocess.PIPE, text=True) as child:
        os.close(terminal)
        output = b""
        while child.poll() is None or select.select([controller], [], [], 0)[0]:
            if select.select([controller], [], [], 0.1)[0]:
                try:
                    output += os.read(controller, 65_536)
                except OSError:  # the other end is closed
                    break
        assert child.stdout
        out = child.stdout.read()
    os.close(controller)
    return output.decode("utf-8", "replace"), out


def test_the_version_is_told(shell: Shell) -> None:
    assert shell("--version") == CommandResult(0, "vecsearch, version 0.1.0\n", "")


def test_the_common_options_may_stand_before_the_command(corpus: Path, shell: Shell, tmp_path: Path) -> None:
    database = tmp_path / ".vecsearch"
    assert parse_json(shell("--db", database, "--json", "-c", "default", "ls"))["total"] == 4
    assert parse_json(shell("--db", tmp_path / "nowhere", "ls", "--db", database, "--json"))["total"] == 4
    assert parse_json(shell("--json", "--db", database, "collections"))["collections"][0]["name"] == "default"


@pytest.mark.parametrize(("command", "option"), [("search", "--mmr"), ("search", "--rerank"), ("context", "--rerank")])
def test_an_option_whose_value_may_be_left_out_takes_no_word_of_the_question(
    corpus: Path, shell: Shell, command: str, option: str
) -> None:
    result = parse_json(shell(command, option, "Savings", "TCP/IP", "--json"))
    assert result.get("query", result.get("question")) == "Savings TCP/IP"


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (["--mmr", "0.3", "bank"], "bank"),
        (["--mmr=0.3", "bank"], "bank"),
        (["bank", "--mmr"], "bank"),
        (["--mmr", "--dedupe", "bank"], "bank"),
        (["--mmr", "2024", "budget"], "2024 budget"),
        (["--mmr", "--", "0.5", "inch"], "0.5 inch"),
        (["--", "--mmr", "bank"], "--mmr bank"),
        (["--where", "x!=--mmr", "--mmr", "bank"], "bank"),
        (["--rerank", "and/or"], "and/or"),
    ],
)
def test_an_optional_value_is_taken_where_it_cannot_be_meant_otherwise(
    corpus: Path, shell: Shell, arguments: list[str], query: str
) -> None:
    assert parse_json(shell("search", "--json", *arguments))["query"] == query


def test_a_reranker_is_named_after_an_equals_sign_or_by_its_path(corpus: Path, shell: Shell) -> None:
    for arguments in (["--rerank=no/model"], ["--rerank", "/no/model"], ["--rerank", "./no/model"]):
        result = shell("search", "bank", *arguments)
        assert (result.status, "no/model" in result.err) == (1, True)
    missing = shell("eval", "--rerank", "no-dataset")
    assert (missing.status, "no-dataset" in missing.err) == (1, True)


def test_all_documents_are_deleted_by_a_switch_of_its_own_and_never_by_an_empty_filter(corpus: Path, shell: Shell) -> None:
    for arguments in (["--where", "{}"], ["--where", "{}", "--where", "{}"], ["--where", '{"$and": []}'], ["--source", ""]):
        result = shell("delete", *arguments)
        assert (result.status, "delete" in result.err or "empty" in result.err or "where" in result.err) == (2, True)
    assert shell("delete", "--all", "n1").status == 2
    planned = parse_json(shell("delete", "--all", "--dry-run", "--json"))
    assert (planned["deleted"], planned["dry_run"]) == (["docs/bank.txt", "docs/bats.md", "n1", "n2"], True)
    assert parse_json(shell("ls", "--json"))["total"] == 4
    assert parse_json(shell("delete", "--all", "--json"))["deleted"] == planned["deleted"]
    assert parse_json(shell("ls", "--json"))["total"] == 0
    assert parse_json(shell("index", "docs", "--json"))["added"] == 4
