"""Filters by place, what `similar` takes, why nothing was found, and what the shell leaves with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import vecsearch

FILES = {
    "notes/heron.md": "---\ncreated: 2024-05-01\nlanguage: en\n---\n# Herons\n\nA heron waits at the edge of the water for fish.",
    "notes/old/bread.txt": "Bread needs flour, water and salt, and a hot oven.",
    "mails/loan.html": '<html lang="de"><head><title>Kredit</title><meta name="date" content="2023-12-31"></head>'
    "<body><p>Die Bank gibt einen Kredit über tausend Euro.</p></body></html>",
    "prices.jsonl": '{"id": "tea", "text": "green tea in bags", "price": 4, "created": "2024-03-02T10:00:00Z", "name": "tea"}\n'
    '{"id": "cup", "text": "a cup of white china", "price": 9, "created": "2023-11-30", "name": "china"}\n',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("places")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with vecsearch.open(root / ".vecsearch") as collection:
        collection.index([root])
    with vecsearch.connect(root / ".vecsearch") as database:
        database.create_collection("empty")
    return root


@pytest.fixture
def run(folder: Path, shell: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder)
    return shell


def find(run: Any, *arguments: Any) -> set[str]:
    return {hit["id"] for hit in json.loads(run("search", "water", *arguments, "--json").out)["hits"]}


HERON, BREAD, LOAN = "notes/heron.md", "notes/old/bread.txt", "mails/loan.html"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--source", "notes"], {HERON, BREAD}),
        (["--source", "notes/old", "--source", "prices.jsonl"], {BREAD, "tea", "cup"}),
        (["--glob", "*.md"], {HERON}), (["-g", "notes/*.*"], {HERON}), (["-g", "notes/**/*.txt", "-g", "*.html"], {BREAD, LOAN}),
        (["-g", "!*.jsonl", "-g", "!notes/**"], {LOAN}), (["-t", "md", "--type", "HTML"], {HERON, LOAN}),
        (["--language", "de"], {LOAN}), (["--source", "notes", "--language", "en"], {HERON}),
        (["--where", "created>=2024"], {HERON, "tea"}), (["--where", "created<2024-01"], {"cup", LOAN}),
        (["--where", "created>=2023-12", "--where", "created<=2024-03"], {LOAN, "tea"}), (["--where", "price>=9"], {"cup"}),
    ],
)  # fmt: skip
def test_filters_by_place_and_time(run: Any, arguments: list[str], expected: set[str]) -> None:
    assert find(run, *arguments) == expected
    if "--source" in arguments or "-t" in arguments:
        assert {document["id"] for document in json.loads(run("ls", *arguments, "--json").out)["documents"]} == expected
        assert {document["id"] for document in json.loads(run("get", *arguments, "--json").out)["documents"]} == expected
        assert set(json.loads(run("delete", *arguments, "--dry-run", "--json").out)["deleted"]) == expected


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--where", "catgory=Outdoor"], "no document has the key `catgory`; keys: created, language, name, price"),
        (["--where", "nmae=tea"], "no document has the key `nmae` (did you mean `name`?); keys: "),
        (["--where", "created=2024"], "`created` holds text; you compared it with a number"),
        (["--where", "name>=2024"], "`name` holds text that is no time in ISO 8601; you compared it with one"),
        (["--where", "price<abc"], "`price` holds numbers; you compared it with a text"),
        (["--where", "price>9.5"], "no document has `price` > 9.5; `price` goes from 4 to 9"),
        (["--where", "created>=2030"], "no document has `created` >= '2030'; `created` goes from "),
        (["--where", "name=coffee"], "no document has `name` = 'coffee'; its values: 'china', 'tea'"),
        (["--where", "price=4", "--where", "name=china"], "each condition of the filter holds for some documents, but no "),
        (["--type", "pdf"], "no document has $type = 'pdf'; types: html, jsonl, md, txt"),
        (["--language", "fr"], "no document has $language = 'fr'; languages: "),
        (["--source", "nowhere"], "nothing was indexed from /"),
        (["--where", '{"price": {"$contains": "4"}}'], "`price` holds numbers; you looked for a part of a text"),
        (["--where", '{"price": {"$in": []}}'], "an empty list holds for no document"),
        (["--where", '{"$not": {"$id": {"$exists": true}}}'], "what the filter excludes holds for every document"),
        (["--min-similarity", "0.99"], "none of 5 chunks reaches the least similarity 0.990; the most similar has 0."),
        (["--offset", "7"], "the offset leaves out all there is: 5 hits"),
        (["-c", "empty"], "the collection is empty; add documents: vecsearch index PATH"),
    ],
)  # fmt: skip
def test_nothing_found_says_why(run: Any, arguments: list[str], reason: str) -> None:
    result = run("search", "water", *arguments)
    assert (result.status, result.out) == (0, "") and result.err.startswith(f"nothing found: {reason}")
    value = json.loads(run("search", "water", *arguments, "--json").out)
    assert (value["hits"], value["weak"]) == ([], False) and value["reason"].startswith(reason)
    if "--offset" not in arguments:
        assert reason in json.loads(run("context", "water", *arguments, "--json").out)["reason"]


def test_lists_and_deletions_say_too_why_nothing_matched(run: Any) -> None:
    reason = "nothing found: no document has the key `catgory`; keys: created, language, name, price\n"
    missed = ["--where", "catgory=Outdoor"]
    for command, printed in (
        (["ls"], ""),
        (["get"], ""),
        (["delete"], "deleted 0 documents\n"),
        (["delete", "--dry-run"], "would"),
    ):
        result = run(*command, *missed)
        assert (result.status, result.err) == (0, reason) and result.out.startswith(printed) and bool(result.out) == bool(printed)
        assert run(*command, *missed, "--json").err == run(*command, *missed, "-q").err == ""
    assert run("ls", "--where", "price=4", "--offset", 9).err == run("get", "--where", "price=4", "--after", "tea").err == ""


@pytest.mark.parametrize("glob", ["*.mdd", "/a(b)/*.md", "n\u00f6te s/{99999999}*.txt"])
def test_a_glob_that_matches_nothing_is_named_as_it_was_typed(run: Any, glob: str) -> None:
    assert run("ls", "-g", glob).err == f"nothing found: no document comes from a file that matches {glob!r}\n"
    assert run("search", "water", "-g", glob).err == run("ls", "-g", glob).err


def test_the_reason_of_an_answer_in_python(folder: Path) -> None:
    with vecsearch.open(folder / ".vecsearch", readonly=True) as collection:
        missed = collection.search("water", where={"colour": "red"})
        words = collection.search("zzxxyy", mode="lexical", where={"price": 4})
        alone = collection.similar(id="tea", where={"name": "tea"})
        assert collection.search("water").reason is None
        assert missed.reason is not None and missed.reason.startswith("no document has the key `colour`; keys: ")
        assert (
            words.reason
            == "none of 1 chunk that pass the filter holds a term of the query; to search by meaning too: --mode hybrid"
        )
        assert alone.reason == "there is no other document to find"


def test_where_vectors_are_still_to_be_made_that_is_the_reason(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("herons eat fish\n\nthey stand in water")
    indexed = shell("index", "a.txt", "--no-vectors")
    assert indexed.status == 0 and " · 1 vector to come · " in indexed.out + indexed.err
    reason = "the vectors of 1 chunk are still to be made, which are found by their words alone: vecsearch index --vectors-only"
    for question in (["search", "zzxxyy"], ["search", "zzxxyy", "--mode", "dense"], ["similar", "--text", "water"]):
        result = shell(*question)
        assert (result.status, result.out) == (0, "")
        assert f"nothing found: {reason}\n" in result.err
        assert json.loads(shell(*question, "--json").out)["reason"] == reason
    assert "holds a term of the query" in shell("search", "zzxxyy", "--mode", "lexical").err  # its words are there
    assert shell("index", "--vectors-only", "-q").status == 0
    assert shell("similar", "--text", "water", "-l").out == "a.txt\n"


def test_similar_takes_an_id_else_a_file_else_a_text(run: Any, folder: Path) -> None:
    by_id, by_file = (json.loads(run("similar", thing, "--json").out) for thing in ("tea", folder / HERON))
    assert "tea" not in {hit["id"] for hit in by_id["hits"]} and HERON not in {hit["id"] for hit in by_file["hits"]}
    assert by_id["hits"] == json.loads(run("similar", "--id", "tea", "--json").out)["hits"]
    result = run("similar", "fish", "and", "water", "-n", 1, "--json")
    assert json.loads(result.out)["hits"][0]["id"] == HERON and "no document, and no file, 'fish and water'" in result.err
    assert run("similar", "x" * 5_000, "-q").status == 0
    assert run("similar", "tea", "--text", "tea").status == run("similar").status == 2


@pytest.mark.parametrize("thing", ["nofile.md", "notes/nofile", "~nobody/x"])
def test_similar_takes_no_path_for_a_text(run: Any, thing: str) -> None:
    result = run("similar", thing)
    assert (result.status, result.out) == (1, "")
    assert (
        f"no such document or file: {thing!r}" in result.err
        and "to ask with it as a text: vecsearch similar --text" in result.err
    )


def test_similar_takes_no_folder_for_a_text(run: Any) -> None:
    assert "'notes' is a folder; name a document or a file in it; to ask with it as a text" in run("similar", "notes").err
    assert (
        run("similar", "the", "herons/cranes", "of", "e.g.", "notes.md").status == run("similar", "--text", "notes").status == 0
    )


def test_the_exit_status_says_what_was_wrong(run: Any) -> None:
    for usage in (
        ["search", ""], ["search", "x", "--where", "lang"], ["search", "x", "--where", '{"a": {"$no": 1}}'], ["similar", " "],
        ["search", "x", "--language", "german"], ["search", "x", "--modified", "soon"], ["search", "x", "-g", "[a"],
        ["context", ""], ["delete"], ["get", "tea", "--source", "notes"], ["optimize", "--stemmer", "xx"],
    ):  # fmt: skip
        result = run(*usage)
        assert (result.status, result.out) == (2, "") and "Error: " in result.err
    missed = ["--where", "nothing=here"]
    for command in (["search", "water"], ["similar", "tea"], ["recommend", "--positive", "tea"], ["context", "water"]):
        assert [run(*command, *missed, *status).status for status in ([], ["--exit-status"])] == [0, 1]
        assert run(*command, "--exit-status").status == 0
