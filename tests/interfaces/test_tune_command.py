"""The shell's `tune` and `log`: both numbers are printed, nothing changes unless it is proved, and nothing is logged unasked."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import vecsearch
from tests.conftest import CommandResult
from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.interfaces.cli import last_hits

Shell = Callable[..., CommandResult]
ANIMALS = "heron seal otter crane eel moth fox bat owl hare newt toad".split()
PLACES = "estuary sandbank river marsh mast harbour reeds cliff".split()


@pytest.fixture
def collection(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """96 documents of a sentence, with the files of a question about each."""
    monkeypatch.setattr(last_hits, "get_cache_folder", lambda kind: tmp_path / "cache" / kind)
    pairs = [(animal, place) for animal in ANIMALS for place in PLACES]
    ids = [f"{animal}-{place}" for animal, place in pairs]
    texts = [f"The {animal} rests by the {place}." for animal, place in pairs]
    with vecsearch.open(tmp_path / DATABASE_FOLDER) as opened:
        opened.add(texts, ids=ids, metadatas=[{"animal": animal} for animal, _ in pairs])
    questions = [f"where is the {animal}, at the {place}?" for animal, place in pairs]
    lines = [json.dumps({"_id": id, "text": question}) for id, question in zip(ids, questions, strict=True)]
    (tmp_path / "queries.jsonl").write_text("\n".join(lines))
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(f"{id}\t{id}\t1\n" for id in ids))
    (tmp_path / "pairs.tsv").write_text(
        "question\tid\n" + "".join(f"{question}\t{id}\n" for question, id in zip(questions, ids, strict=True))
    )
    objects = [json.dumps({"question": question, "text": text}) for question, text in zip(questions, texts, strict=True)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(objects))
    (tmp_path / "few.tsv").write_text("where is the heron?\theron-reeds\n")
    (tmp_path / "empty.tsv").write_text("where is the heron?\t \n")
    (tmp_path / "bad.tsv").write_text("a question alone\n")
    return tmp_path


def test_no_gain_changes_nothing_and_is_no_failure(collection: Path, shell: Shell) -> None:
    """Such questions are answered already."""
    before = shell("search", "the heron by the river", "--json").out.partition('"hits"')[2]
    result = shell("tune", "--queries", "queries.jsonl", "--qrels", "qrels.tsv")
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert lines[0].startswith("96 questions · ") and lines[0].endswith("nDCG@10, mode hybrid")
    assert lines[1].split() == "documents asked for before too few questions".split()  # each is asked for once
    assert lines[2].startswith("  new documents ") and "→" in lines[2]
    assert lines[-1].startswith("no gain, nothing changed: ")
    assert shell("search", "the heron by the river", "--json").out.partition('"hits"')[2] == before
    assert json.loads(shell("status", "--json").out)["collections"][0]["tuning"] is None
    assert "there is no map of questions" in shell("tune", "--drop").out


@pytest.mark.slow
def test_pairs_and_labels_are_read_and_answered_as_json(collection: Path, shell: Shell) -> None:
    answers = []
    for source in (["--pairs", "pairs.tsv"], ["--pairs", "pairs.jsonl"], ["--queries", "queries.jsonl", "--qrels", "qrels.tsv"]):
        result = shell("tune", *source, "--json", "-q", "--dry-run", "--mode", "dense")
        assert (result.status, result.err) == (0, "")
        answers.append({**json.loads(result.out), "seconds": 0})
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["questions"] == 96 and answers[0]["asked_before"] is None
    by_label = json.loads(shell("tune", "--label", "animal", "--json", "--dry-run").out)
    assert by_label["by_label"] and by_label["asked_before"]["questions"] >= 10 and by_label["new_documents"]["questions"] >= 8


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "there is nothing to learn from"),
        (["--pairs", "few.tsv"], 1, "1 pair of a question and its answer, and 50 are needed"),
        (["--pairs", "bad.tsv"], 1, "bad.tsv, line 1: expected a question, a tab"),
        (["--pairs", "empty.tsv"], 1, "empty.tsv, line 1: expected the id of a document that answers the question"),
        (["--pairs", "gone.tsv"], 1, "cannot read gone.tsv"),
        (["--label", "nothing"], 1, "no two documents have the same value at 'nothing'"),
        (["--queries", "queries.jsonl"], 2, "Give both --queries and --qrels"),
        (["--label", "animal", "--pairs", "pairs.tsv"], 2, "Give one of --queries with --qrels, --pairs, --label"),
        (["--label", "animal", "--reembed"], 2, "--reembed goes with --level encoder"),
        (["--label", "animal", "--mode", "lexical"], 2, "lexical"),
        (["--drop", "--label", "animal"], 2, "--drop goes with --db and -c alone"),
        (["--from-log"], 1, "nothing is logged .* vecsearch log on"),
        (["--label", "animal", "-c", "gone"], 1, "gone"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(
    collection: Path, shell: Shell, arguments: list[str], status: int, message: str
) -> None:
    result = shell("tune", *arguments)
    assert result.status == status
    assert re.search(message, " ".join(result.err.split()))


@pytest.mark.parametrize("after", ["questions", "learning", "asking"])
def test_an_interruption_changes_nothing(collection: Path, after: str) -> None:
    """By a signal, at several moments."""
    command = [sys.executable, "-m", "vecsearch", "tune", "--label", "animal"]
    process = subprocess.Popen(command, cwd=collection, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "questions" in process.stderr.readline()  # it has begun
    time.sleep({"questions": 0, "learning": 0.05, "asking": 0.3}[after])
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "") and "interrupted: nothing changed" in err, err
    with vecsearch.open(collection / DATABASE_FOLDER) as opened:
        assert opened.status()["tuning"] is None


# -- the log


def read_log(shell: Shell) -> list[tuple[str, str, str | None]]:
    entries = json.loads(shell("log", "show", "--json").out)["entries"]
    return [(entry["act"], entry["question"], entry["id"]) for entry in entries]


def test_nothing_is_logged_until_it_is_turned_on(collection: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("search", "a heron")
    shell("open", 1, "--json")
    assert read_log(shell) == []
    assert not list((collection / DATABASE_FOLDER).glob("question*"))
    assert shell("log", "show").out.strip() == "nothing is logged"
    assert "the log is off: 0 searched, 0 opened, 0 liked; to log from now on: vecsearch log on" in shell("log").out
    assert shell("log", "on").out.startswith("the log is on")
    shell("search", "the", "heron", "by the river")
    shell("similar", "--id", "heron-river")  # no question
    assert read_log(shell) == [("searched", "the heron by the river", None)]
    shell("search", "seal", "--mode", "lexical")
    shell("profile", "like", "ann", "seal-cliff")
    shell("profile", "like", "ann", "heron-cliff")  # not among the hits
    assert read_log(shell)[1:] == [("searched", "seal", None), ("liked", "seal", "seal-cliff")]
    log = collection / DATABASE_FOLDER / "question-log.jsonl"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    exported = [json.loads(line) for line in shell("log", "export").out.splitlines()]
    assert [entry["collection"] for entry in exported] == ["default"] * 3
    assert shell("doctor").status == 0
    assert shell("log", "off").out.startswith("the log is off: 2 searched, 0 opened, 1 liked")
    shell("search", "an owl")
    assert len(read_log(shell)) == 3
    assert "deleted 3 lines" in shell("log", "delete", "--yes").out
    assert read_log(shell) == [] and not log.exists()


def test_hits_that_are_opened_are_logged_with_their_question(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_hits, "get_cache_folder", lambda kind: tmp_path / "cache" / kind)
    (tmp_path / "heron.md").write_text("A heron strikes at fish.\n")
    monkeypatch.setenv("VISUAL", "true")
    assert shell("index", "heron.md", "--no-vectors", "-q").status == 0
    shell("log", "on")
    assert shell("search", "--file", "heron.md", "--mode", "lexical").status == 0  # a path is no question
    assert read_log(shell) == []
    shell("search", "fish", "--mode", "lexical")
    assert shell("open", 1).status == 0
    assert shell("open", "heron.md:1").status == 0
    assert read_log(shell) == [("searched", "fish", None), ("opened", "fish", "heron.md"), ("opened", "fish", "heron.md")]
    assert "1 pair of a question" in shell("tune", "--from-log").err  # one, however often it was opened


def test_what_a_search_has_printed_can_be_liked_and_read(collection: Path, shell: Shell) -> None:
    shell("log", "on")
    shell("search", "the heron by the river", "--mode", "lexical")
    first = json.loads(shell("search", "the heron by the river", "--mode", "lexical", "--json").out)["hits"][0]["id"]
    assert shell("profile", "like", "ann", "1").out == "ann: 1 liked, 0 not\n"
    assert shell("profile", "unlike", "ann", f"{first}#0").out == "ann: 0 liked, 1 not\n"
    assert shell("profile", "like", "ann", "99").err.startswith("Error: no document with id '99'")
    assert shell("get", first).status == 0
    assert [entry[::2] for entry in read_log(shell)[2:]] == [("liked", first), ("opened", first)]
    assert "1 pair of a question and what was chosen of default; tune needs 50" in shell("log").out
    assert json.loads(shell("log", "--json").out)["pairs"] == 1


def test_a_log_that_cannot_be_written_stops_no_search(collection: Path, shell: Shell) -> None:
    shell("log", "on")
    (collection / DATABASE_FOLDER / "question-log.jsonl").mkdir()
    assert shell("search", "a heron", "--mode", "lexical").status == 0
    assert read_log(shell) == []


def test_a_damaged_line_of_the_log_is_passed_over(collection: Path, shell: Shell) -> None:
    shell("log", "on")
    log = collection / DATABASE_FOLDER / "question-log.jsonl"
    log.write_text('{"at": 1}\nnonsense\n{"act": "stolen"}\n')
    shell("search", "a heron", "--mode", "lexical")
    assert read_log(shell) == [("searched", "a heron", None)]
