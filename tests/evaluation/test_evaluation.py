"""`vecsearch eval`: what it measures, what it keeps, what it refuses."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.conftest import CountingEncoder, Ran
from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.encoders import registry
from vecsearch.encoders.base import TextEncoder
from vecsearch.evaluation import CachedCollection, Dataset, Measure, Run, compare_runs, evaluate, read_judgements
from vecsearch.evaluation.measures import compute_interval, compute_measures

Shell = Callable[..., Ran]

DOCUMENTS = {
    "loan": "A bank lends money to people who build a house.",
    "shore": "The bank of the river is muddy after rain.",
    "rate": "The interest rate on savings rose to four per cent.",
    "canoe": "We paddled a canoe down the stream at dawn.",
    "flood": "Heavy rain made the river burst its banks.",
    "bat": "A bat hunts insects at dusk and hangs upside down by day.",
    "ball": "He swung the bat and hit the ball over the fence.",
    "owl": "Owls hunt mice at night without a sound.",
    "bread": "Knead the dough and bake the bread for an hour.",
    "oven": "Preheat the oven before you put in the loaf.",
    "star": "The telescope showed a ring of ice around the planet.",
    "moon": "The moon pulls the tides of the sea.",
}
LONG = " ".join(f"On day {day} the glacier moved, and the ice cracked above the valley of stones." for day in range(60))
QUERIES = {
    "money": "where can I borrow money for a home",
    "water": "river bank in the rain",
    "night": "animals that hunt in the dark",
    "ice": "the glacier and its ice",
    "baking": "how to bake a loaf",
    "nothing": "a question that nobody has answered",
}
QRELS = {
    "money": {"loan": 3, "rate": 1, "shore": 0},
    "water": {"shore": 2, "flood": 3, "loan": 0, "canoe": 1},
    "night": {"owl": 2, "bat": 2, "gone": 1},
    "ice": {"glacier": 2, "star": 1},
    "baking": {"oven": 1, "bread": 2},
    "nothing": {"moon": 0},
}


def write(folder: Path, *, documents: Mapping[str, str] = DOCUMENTS, qrels: Mapping[str, Mapping[str, int]] = QRELS) -> Path:
    """The data set in BEIR's layout, with the long document."""
    folder.mkdir(exist_ok=True)
    texts = {**documents, "glacier": LONG}
    write_lines(folder / "corpus.jsonl", (json.dumps({"_id": key, "title": "", "text": text}) for key, text in texts.items()))
    write_lines(folder / "queries.jsonl", (json.dumps({"_id": key, "text": text}) for key, text in QUERIES.items()))
    rows = [f"{query}\t{key}\t{grade}" for query, judged in qrels.items() for key, grade in judged.items()]
    write_lines(folder / "qrels.tsv", ["query-id\tcorpus-id\tscore", *rows])
    return folder


def write_lines(path: Path, lines: Sequence[str] | Iterator[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write(tmp_path / "small")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VECSEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def collection(tmp_path: Path, encoder: TextEncoder) -> Iterator[vecsearch.Collection]:
    with vecsearch.open(tmp_path / "own", model=encoder) as collection:
        collection.add([*DOCUMENTS.values(), LONG], ids=[*DOCUMENTS, "glacier"])
        yield collection


def json_of(told: Ran) -> Any:
    assert told.status == 0, told.err
    return json.loads(told.out)


# -- the measures


def by_hand(ranked: Sequence[str], judged: Mapping[str, int]) -> dict[Measure, float]:
    """The formulas of the papers, written down once more."""
    gains = [judged.get(key, 0) for key in ranked]
    ideal = sorted(judged.values(), reverse=True)
    relevant = sum(grade > 0 for grade in judged.values())
    places = [place for place, gain in enumerate(gains, start=1) if gain > 0]
    return {
        Measure.NDCG: sum(gain / log2(place + 1) for place, gain in enumerate(gains[:10], start=1))
        / sum(grade / log2(place + 1) for place, grade in enumerate(ideal[:10], start=1)),
        Measure.RECALL: sum(place <= 100 for place in places) / relevant,
        Measure.MRR: next((1 / place for place in places if place <= 10), 0.0),
        Measure.MAP: sum(found / place for found, place in enumerate(places, start=1)) / relevant,
    }


@pytest.mark.parametrize("mode", list(vecsearch.Mode))
def test_the_measures_are_those_of_the_papers_over_the_documents_that_search_gives(
    collection: vecsearch.Collection, mode: vecsearch.Mode
) -> None:
    run = evaluate(collection, QUERIES, QRELS, mode=mode)
    assert (run.mode, run.documents, list(run.values)) == (mode, 13, ["money", "water", "night", "ice", "baking"])
    for query, values in run.values.items():
        hits = collection.search(QUERIES[query], limit=100, mode=mode, group_by="document")
        assert values == pytest.approx(by_hand([hit.id for hit in hits], QRELS[query]))
    for kind in Measure:
        assert run.mean(kind) == pytest.approx(sum(each[kind] for each in run.values.values()) / 5)
    assert run.values["night"][Measure.RECALL] < 1  # so the test above could fail


def test_the_order_of_a_ranking_is_taken_as_it_stands() -> None:
    ranked = [f"d{n:03}" for n in (7, 3, 99, 1, 50)]
    judged = {"d050": 2, "d099": 1, "d998": -1}
    assert compute_measures({"q": judged}, {"q": ranked}) == {
        "q": pytest.approx(by_hand(ranked, {key: max(grade, 0) for key, grade in judged.items()}))
    }
    assert compute_measures({"q": judged}, {"q": []}) == {"q": dict.fromkeys(Measure, 0.0)}


def test_a_long_document_counts_once_by_its_best_chunk(collection: vecsearch.Collection) -> None:
    assert len(collection.get("glacier")[0].chunks) > 2
    values = evaluate(collection, QUERIES, {"ice": {"glacier": 1, "star": 1}}, mode="dense").values["ice"]
    assert values[Measure.NDCG] == values[Measure.MAP] == 1  # its other chunks do not push the second one down


def test_search_options_are_passed_on(collection: vecsearch.Collection) -> None:
    run = evaluate(collection, QUERIES, QRELS, options={"where": {"lang": "en"}})
    assert all(set(values.values()) == {0.0} for values in run.values.values())


def test_the_interval_is_that_of_the_bootstrap_and_the_same_each_time() -> None:
    values = np.random.default_rng(1).random(400)
    low, high = compute_interval(values)
    spread = 1.96 * values.std() / len(values) ** 0.5  # of the normal distribution, which so many means are near
    assert (low, high) == pytest.approx((values.mean() - spread, values.mean() + spread), abs=0.003)
    assert compute_interval(values) == (low, high)
    assert compute_interval(np.full(3, 0.5)) == (0.5, 0.5)


def test_hybrid_is_compared_to_the_better_of_the_others_query_by_query() -> None:
    def run(mode: vecsearch.Mode, *values: float) -> Run:
        return Run(mode, 1, {str(n): dict.fromkeys(Measure, value) for n, value in enumerate(values)}, 1.0)

    dense, lexical = run(vecsearch.Mode.DENSE, 0.1, 0.9), run(vecsearch.Mode.LEXICAL, 0.0, 0.2)
    hybrid = run(vecsearch.Mode.HYBRID, 0.3, 1.0)
    found = compare_runs([dense, lexical, hybrid])
    assert [each.measure for each in found] == list(Measure)
    assert {(each.mode, each.other) for each in found} == {("hybrid", "dense")}
    assert (found[0].mean, *found[0].interval) == pytest.approx((0.15, 0.1, 0.2))
    assert compare_runs([dense, lexical]) == compare_runs([hybrid]) == []


# -- a data set


def test_all_modes_stand_side_by_side(dataset: Path, shell: Shell) -> None:
    told = shell("eval", dataset)
    assert told.status == 0, told.err
    lines = told.out.splitlines()
    assert lines[0] == "small: 13 documents, 5 queries"
    assert lines[1].split() == ["mode", "nDCG@10", "recall@100", "MRR@10", "MAP", "ms/query"]
    assert [line.split()[0] for line in lines[2:5]] == ["dense", "lexical", "hybrid"]
    assert len({line.index(line.split()[4]) for line in lines[2:5]}) == 1
    assert lines[5].startswith("nDCG@10, hybrid − ")
    assert len(lines) == 6
    assert "Warning: 1 of 12 judged documents are not in the collection: gone" in told.err


def test_the_json_holds_the_runs_and_how_they_differ(dataset: Path, shell: Shell) -> None:
    answer = json_of(shell("eval", dataset, "--json"))
    assert list(answer) == ["dataset", "runs", "differences"]
    one = json_of(shell("eval", dataset, "--json", "--mode", "lexical"))
    assert list(one) == [
        "dataset", "mode", "documents", "queries", "ndcg@10", "recall@100", "mrr@10", "map", "intervals", "took_ms_per_query",
    ]  # fmt: skip
    assert [run["mode"] for run in answer["runs"]] == ["dense", "lexical", "hybrid"]
    assert {**answer["runs"][1], "took_ms_per_query": 0} == {**one, "took_ms_per_query": 0}
    assert (one["dataset"], one["documents"], one["queries"]) == ("small", 13, 5)
    assert set(one["intervals"]) == {"ndcg@10", "recall@100", "mrr@10", "map"}
    assert all(low <= one[measure] <= high for measure, (low, high) in one["intervals"].items())
    difference = answer["differences"][0]
    hybrid = answer["runs"][2]["ndcg@10"]
    best = max(run["ndcg@10"] for run in answer["runs"][:2])
    assert (difference["measure"], difference["mode"]) == ("ndcg@10", "hybrid")
    assert difference["difference"] == pytest.approx(hybrid - best, abs=2e-6)


def test_per_query_shows_first_where_the_modes_differ_most(dataset: Path, shell: Shell) -> None:
    listed = json_of(shell("eval", dataset, "--per-query", "--json"))["per_query"]
    spreads = [max(each["ndcg@10"].values()) - min(each["ndcg@10"].values()) for each in listed]
    assert spreads == sorted(spreads, reverse=True)
    assert sorted(each["id"] for each in listed) == ["baking", "ice", "money", "night", "water"]
    assert all(each["text"] == QUERIES[each["id"]] for each in listed)
    first = shell("eval", dataset, "--per-query").out.split("\n\n")[1].splitlines()[2]
    assert first.startswith(listed[0]["id"])
    assert first.endswith(QUERIES[listed[0]["id"]])
    worst = json_of(shell("eval", dataset, "--per-query", "--mode", "lexical", "--json"))["per_query"]
    values = [each["ndcg@10"]["lexical"] for each in worst]
    assert values == sorted(values)


def test_a_corpus_is_encoded_once_and_an_interrupted_run_goes_on(
    dataset: Path, cache: Path, shell: Shell, counting: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load", lambda *_: counting)
    kept = CachedCollection.from_dataset(Dataset.from_folder(dataset))
    kept.folder.parent.mkdir(parents=True)
    with vecsearch.open(kept.folder, model=counting) as begun:  # as far as the interrupted run had come
        begun.add(list(DOCUMENTS.values())[:7], ids=list(DOCUMENTS)[:7], titles=[""] * 7)
    assert not kept.is_whole
    counting.documents.clear()
    first = json_of(shell("eval", dataset, "--mode", "dense", "--json"))
    encoded = " ".join(counting.documents)
    assert not any(text in encoded for text in list(DOCUMENTS.values())[:7])
    assert all(text in encoded for text in list(DOCUMENTS.values())[7:])
    assert (first["documents"], kept.is_whole) == (13, True)
    counting.documents.clear()
    again = shell("eval", dataset, "--mode", "dense", "--json")
    assert {**json_of(again), "took_ms_per_query": 0} == {**first, "took_ms_per_query": 0}
    assert counting.documents == []
    assert "indexing" not in again.err
    assert not (cache.parent / DATABASE_FOLDER).exists()


def test_another_corpus_has_another_collection(dataset: Path, cache: Path, shell: Shell) -> None:
    assert json_of(shell("eval", dataset, "--mode", "lexical", "--json"))["documents"] == 13
    write(dataset, documents={**DOCUMENTS, "gone": "It is back."})
    assert json_of(shell("eval", dataset, "--mode", "lexical", "--json"))["documents"] == 14
    assert len(list((cache / "eval").glob("*.json"))) == 2


def test_files_may_be_packed_and_lie_as_beir_puts_them(dataset: Path, cache: Path, shell: Shell) -> None:
    plain = json_of(shell("eval", dataset, "--mode", "hybrid", "--json"))
    (dataset / "qrels").mkdir()
    (dataset / "qrels.tsv").rename(dataset / "qrels/test.tsv")
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        (dataset / f"{name}.gz").write_bytes(gzip.compress((dataset / name).read_bytes()))
        (dataset / name).unlink()
    packed = json_of(shell("eval", dataset, "--mode", "hybrid", "--json"))
    assert {**packed, "took_ms_per_query": 0} == {**plain, "took_ms_per_query": 0}
    assert len(list((cache / "eval").glob("*.json"))) == 1  # the same corpus, packed or not
    shutil.rmtree(cache)
    assert json_of(shell("eval", dataset, "--mode", "hybrid", "--json"))["ndcg@10"] == plain["ndcg@10"]


def test_documents_that_cannot_be_indexed_are_said_in_one_line_each_time(dataset: Path, shell: Shell) -> None:
    with (dataset / "corpus.jsonl").open("a") as corpus:
        corpus.write('{"_id": "e1", "title": "", "text": ""}\n{"_id": "e2", "text": " "}\n')
    for _ in range(2):
        told = shell("eval", dataset, "--mode", "lexical")
        assert told.status == 0
        assert "13 documents" in told.out
        said = f"2 documents of {dataset}/corpus.jsonl could not be indexed: document 'e1' has neither text nor a title"
        assert told.err.splitlines().count(said) == 1
    assert shell("eval", dataset, "--mode", "lexical", "-q").err == ""


# -- one's own collection


@pytest.fixture
def judged(tmp_path: Path, collection: vecsearch.Collection) -> list[object]:
    """The options for the collection at own/, with the files of the data set."""
    folder = write(tmp_path / "judged")
    return ["--queries", folder / "queries.jsonl", "--qrels", folder / "qrels.tsv", "--db", tmp_path / "own"]


def test_ones_own_collection_is_measured_and_not_changed(
    judged: list[object], collection: vecsearch.Collection, tmp_path: Path, cache: Path, shell: Shell
) -> None:
    before = (tmp_path / "own/vecsearch.db").read_bytes()
    answer = json_of(shell("eval", *judged, "--json"))
    assert answer["dataset"] == "default"
    for told in answer["runs"]:
        run = evaluate(collection, QUERIES, QRELS, mode=told["mode"])
        assert told["ndcg@10"] == pytest.approx(run.mean(Measure.NDCG), abs=1e-6)
    assert (tmp_path / "own/vecsearch.db").read_bytes() == before
    assert not (cache / "eval").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give DATASET, or both --queries and --qrels"),
        (["--queries", "q.jsonl"], "both --queries and --qrels"),
        (["--qrels", "q.tsv"], "both --queries and --qrels"),
        (["small", "--qrels", "q.tsv"], "leave out --queries and --qrels"),
        (["small", "-c", "mine"], "leave out --db and -c"),
        (["--queries", "q.jsonl", "--qrels", "q.tsv", "--model", "m"], "--model is for DATASET"),
        (["small", "--fail-under", "much"], "expected a number from 0 to 1"),
        (["small", "--fail-under", "65"], "expected a number from 0 to 1"),
        (["small", "--fail-under", "nan"], "expected a number from 0 to 1"),
        (["small", "--fail-under", "precision=0.5"], "ndcg@10=, recall@100=, mrr@10=, map="),
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_usage_errors(
    arguments: list[str], said: str, dataset: Path, shell: Shell
) -> None:
    told = shell("eval", *arguments)
    assert (told.status, told.out) == (2, "")
    assert said in " ".join(told.err.split())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("queries.jsonl", '{"_id": "a", "text": "b"}\nmoney', "queries.jsonl, line 2: expected an object such as"),
        ("queries.jsonl", '["a"]', "line 1: expected an object such as"),
        ("queries.jsonl", '{"text": "b"}', "line 1: expected an object such as"),
        ("queries.jsonl", '{"id": "a", "text": 7}', "line 1: expected an object such as"),
        ("queries.jsonl", '{"id": "a", "text": " "}', "line 1: the query is empty"),
        ("queries.jsonl", '{"id": "a", "text": "b"}\n\n{"id": "a", "text": "c"}', "line 3: the id 'a' was given before"),
        ("queries.jsonl", b'{"id": "a", "text": "\xff"}', "line 1: expected UTF-8"),
        ("queries.jsonl", "\n", "holds no query"),
        ("queries.jsonl", '{"id": "a", "text": "b"}', "names no query of"),
        ("qrels.tsv", "money\tloan\t1\nmoney loan 1", "line 2: expected query-id, corpus-id and score, separated by tabs, got 1"),
        ("qrels.tsv", "money\tloan\t1\nmoney\t\t1", "line 2: expected query-id, corpus-id and score"),
        ("qrels.tsv", "money\tloan\t1\nmoney\trate\tgood", "line 2: expected a whole number of at most 1,000 as the"),
        ("qrels.tsv", "money\tloan\t99999", "line 1: expected a whole number of at most 1,000 as the score, got '99999'"),
        ("qrels.tsv", "money\tloan\t1\nmoney\tloan\t2", "line 2: 'loan' has another grade for query 'money'"),
        ("qrels.tsv", "query-id\tcorpus-id\tscore\n", "holds no judgement"),
        ("qrels.tsv", "money\tnowhere\t1", "none of the 1 judged documents is in the collection"),
        ("qrels.tsv", "money\tloan\t0", "nothing to measure: no query has a relevant document"),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_sensible_is_an_error_that_says_where(
    name: str, content: str | bytes, said: str, judged: list[object], tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "judged" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    told = shell("eval", *judged)
    assert (told.status, told.out) == (1, "")
    assert said in told.err
    assert "Traceback" not in told.err


def test_a_header_may_be_missing_and_queries_without_a_text_are_said(judged: list[object], tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "judged/qrels.tsv").write_text("money\tloan\t1\nunheard\tloan\t1\r\n")
    told = shell("eval", *judged, "--mode", "lexical", "--json")
    assert json_of(told)["queries"] == 1
    assert "Warning: left out, with no text in the queries: 1 query of the qrels: unheard" in told.err


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_what_is_not_there_is_named(name: str, dataset: Path, judged: list[object], shell: Shell) -> None:
    (dataset / name).unlink()
    told = shell("eval", dataset)
    assert (told.status, name in told.err) == (1, True)
    assert "is no folder" in shell("eval", dataset / "nowhere").err
    own = shell("eval", *judged, "--queries", "nowhere.jsonl")
    assert (own.status, "cannot read nowhere.jsonl: No such file" in own.err) == (1, True)
    assert shell("eval", *judged, "-c", "other").err.startswith("Error: no collection named 'other'")


def test_a_broken_archive_and_an_empty_corpus_are_errors(dataset: Path, cache: Path, shell: Shell) -> None:
    whole = gzip.compress((dataset / "corpus.jsonl").read_bytes())
    (dataset / "corpus.jsonl").write_text("{}\n")
    told = shell("eval", dataset)
    assert (told.status, "gave no document" in told.err) == (1, True)
    (dataset / "corpus.jsonl").unlink()
    (dataset / "corpus.jsonl.gz").write_bytes(whole[:-200])
    told = shell("eval", dataset)
    assert (told.status, "cannot read" in told.err) == (1, True)
    assert list((cache / "eval").glob("*.json")) == []


# -- the bound


def test_fail_under_fails_after_the_figures_and_says_why(judged: list[object], shell: Shell) -> None:
    run = json_of(shell("eval", *judged, "--mode", "lexical", "--json", "--fail-under", "0", "--fail-under", "map=0"))
    value = run["recall@100"]
    assert value < 1
    told = shell("eval", *judged, "--mode", "lexical", "--json", "--fail-under", "Recall@100=1", "--fail-under", "0.01", "-q")
    assert told.status == 1
    assert json.loads(told.out)["recall@100"] == value
    assert told.err == f"Error: mode lexical: recall@100 {value:.4f} is less than 1\n"


def test_fail_under_judges_hybrid_where_no_mode_is_given(judged: list[object], shell: Shell) -> None:
    told = shell("eval", *judged, "--fail-under", "1", "-q")
    assert told.status == 1
    assert told.err.startswith("Error: mode hybrid: ndcg@10 0.")


def test_reading_judgements_from_code(dataset: Path) -> None:
    found = read_judgements(dataset / "queries.jsonl", dataset / "qrels.tsv")
    assert (found.queries, found.qrels) == (QUERIES, QRELS)
