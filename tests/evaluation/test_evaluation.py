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
from tests.conftest import CommandResult, CountingEncoder
from vecsearch.core.measures import compute_interval, compute_measures
from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.encoders import registry
from vecsearch.encoders.base import TextEncoder
from vecsearch.evaluation import CachedCollection, Dataset, Measure, Run, compare_runs, evaluate, read_judgements

Shell = Callable[..., CommandResult]

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
    """Write the data set in BEIR's layout, with the long document."""
    folder.mkdir(exist_ok=True)
    texts = {**documents, "glacier": LONG}
    write_lines(folder / "corpus.jsonl", (json.dumps({"_id": key, "title": "", "text": text}) for key, text in texts.items()))
    write_lines(folder / "queries.jsonl", (json.dumps({"_id": key, "text": text}) for key, text in QUERIES.items()))
    rows = [f"{query}\t{key}\t{grade}" for query, grades in qrels.items() for key, grade in grades.items()]
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


def parse_json(result: CommandResult) -> Any:
    assert result.status == 0, result.err
    return json.loads(result.out)


# -- the measures


def compute_by_hand(ranking: Sequence[str], grades: Mapping[str, int]) -> dict[Measure, float]:
    """Compute the formulas of the papers, written down once more."""
    gains = [grades.get(key, 0) for key in ranking]
    ideal = sorted(grades.values(), reverse=True)
    relevant = sum(grade > 0 for grade in grades.values())
    places = [place for place, gain in enumerate(gains, start=1) if gain > 0]
    return {
        Measure.NDCG: sum(gain / log2(place + 1) for place, gain in enumerate(gains[:10], start=1))
        / sum(grade / log2(place + 1) for place, grade in enumerate(ideal[:10], start=1)),
        Measure.RECALL: sum(place <= 100 for place in places) / relevant,
        Measure.MRR: next((1 / place for place in places if place <= 10), 0.0),
        Measure.MAP: sum(count / place for count, place in enumerate(places, start=1)) / relevant,
    }


@pytest.mark.parametrize("mode", list(vecsearch.Mode))
def test_the_measures_are_those_of_the_papers_over_the_documents_that_search_gives(
    collection: vecsearch.Collection, mode: vecsearch.Mode
) -> None:
    run = evaluate(collection, QUERIES, QRELS, mode=mode)
    assert (run.mode, run.documents, list(run.values)) == (mode, 13, ["money", "water", "night", "ice", "baking"])
    for query, values in run.values.items():
        hits = collection.search(QUERIES[query], limit=100, mode=mode, group_by="document")
        assert values == pytest.approx(compute_by_hand([hit.id for hit in hits], QRELS[query]))
    for kind in Measure:
        assert run.mean(kind) == pytest.approx(sum(values[kind] for values in run.values.values()) / 5)
    assert run.values["night"][Measure.RECALL] < 1  # so the test above could fail


def test_the_order_of_a_ranking_is_taken_as_it_stands() -> None:
    ranking = [f"d{n:03}" for n in (7, 3, 99, 1, 50)]
    grades = {"d050": 2, "d099": 1, "d998": -1}
    assert compute_measures({"q": grades}, {"q": ranking}) == {
        "q": pytest.approx(compute_by_hand(ranking, {key: max(grade, 0) for key, grade in grades.items()}))
    }
    assert compute_measures({"q": grades}, {"q": []}) == {"q": dict.fromkeys(Measure, 0.0)}


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
    comparisons = compare_runs([dense, lexical, hybrid])
    assert [comparison.measure for comparison in comparisons] == list(Measure)
    assert {(comparison.mode, comparison.other) for comparison in comparisons} == {("hybrid", "dense")}
    assert (comparisons[0].mean, *comparisons[0].interval) == pytest.approx((0.15, 0.1, 0.2))
    assert compare_runs([dense, lexical]) == compare_runs([hybrid]) == []


# -- a data set


@pytest.mark.slow
def test_all_modes_stand_side_by_side(dataset: Path, shell: Shell) -> None:
    result = shell("eval", dataset)
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "small: 13 documents, 5 queries"
    assert lines[1].split() == ["mode", "nDCG@10", "recall@100", "MRR@10", "MAP", "ms/query"]
    assert [line.split()[0] for line in lines[2:5]] == ["dense", "lexical", "hybrid"]
    assert len({line.index(line.split()[4]) for line in lines[2:5]}) == 1
    assert lines[5].startswith("nDCG@10, hybrid − ")
    assert len(lines) == 6
    assert "Warning: 1 of 12 judged documents are not in the collection: gone" in result.err


def test_the_json_holds_the_runs_and_how_they_differ(dataset: Path, shell: Shell) -> None:
    answer = parse_json(shell("eval", dataset, "--json"))
    assert list(answer) == ["dataset", "runs", "differences"]
    report = parse_json(shell("eval", dataset, "--json", "--mode", "lexical"))
    assert list(report) == [
        "dataset", "mode", "documents", "queries", "ndcg@10", "recall@100", "mrr@10", "map", "intervals", "took_ms_per_query",
    ]  # fmt: skip
    assert [run["mode"] for run in answer["runs"]] == ["dense", "lexical", "hybrid"]
    assert {**answer["runs"][1], "took_ms_per_query": 0} == {**report, "took_ms_per_query": 0}
    assert (report["dataset"], report["documents"], report["queries"]) == ("small", 13, 5)
    assert set(report["intervals"]) == {"ndcg@10", "recall@100", "mrr@10", "map"}
    assert all(low <= report[measure] <= high for measure, (low, high) in report["intervals"].items())
    difference = answer["differences"][0]
    hybrid = answer["runs"][2]["ndcg@10"]
    best = max(run["ndcg@10"] for run in answer["runs"][:2])
    assert (difference["measure"], difference["mode"]) == ("ndcg@10", "hybrid")
    assert difference["difference"] == pytest.approx(hybrid - best, abs=2e-6)


def test_per_query_shows_first_where_the_modes_differ_most(dataset: Path, shell: Shell) -> None:
    entries = parse_json(shell("eval", dataset, "--per-query", "--json"))["per_query"]
    spreads = [max(entry["ndcg@10"].values()) - min(entry["ndcg@10"].values()) for entry in entries]
    assert spreads == sorted(spreads, reverse=True)
    assert sorted(entry["id"] for entry in entries) == ["baking", "ice", "money", "night", "water"]
    assert all(entry["text"] == QUERIES[entry["id"]] for entry in entries)
    first = shell("eval", dataset, "--per-query").out.split("\n\n")[1].splitlines()[2]
    assert first.startswith(entries[0]["id"])
    assert first.endswith(QUERIES[entries[0]["id"]])
    worst = parse_json(shell("eval", dataset, "--per-query", "--mode", "lexical", "--json"))["per_query"]
    values = [entry["ndcg@10"]["lexical"] for entry in worst]
    assert values == sorted(values)


def test_a_corpus_is_encoded_once_and_an_interrupted_run_goes_on(
    dataset: Path, cache: Path, shell: Shell, counting_encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "load", lambda *_: counting_encoder)
    cached_collection = CachedCollection.from_dataset(Dataset.from_folder(dataset))
    cached_collection.folder.parent.mkdir(parents=True)
    with vecsearch.open(cached_collection.folder, model=counting_encoder) as collection:  # as far as the interrupted run had come
        collection.add(list(DOCUMENTS.values())[:7], ids=list(DOCUMENTS)[:7], titles=[""] * 7)
    assert not cached_collection.is_whole
    counting_encoder.documents.clear()
    first = parse_json(shell("eval", dataset, "--mode", "dense", "--json"))
    encoded_text = " ".join(counting_encoder.documents)
    assert not any(text in encoded_text for text in list(DOCUMENTS.values())[:7])
    assert all(text in encoded_text for text in list(DOCUMENTS.values())[7:])
    assert (first["documents"], cached_collection.is_whole) == (13, True)
    counting_encoder.documents.clear()
    result = shell("eval", dataset, "--mode", "dense", "--json")
    assert {**parse_json(result), "took_ms_per_query": 0} == {**first, "took_ms_per_query": 0}
    assert counting_encoder.documents == []
    assert "indexing" not in result.err
    assert not (cache.parent / DATABASE_FOLDER).exists()


def test_another_corpus_has_another_collection(dataset: Path, cache: Path, shell: Shell) -> None:
    assert parse_json(shell("eval", dataset, "--mode", "lexical", "--json"))["documents"] == 13
    write(dataset, documents={**DOCUMENTS, "gone": "It is back."})
    assert parse_json(shell("eval", dataset, "--mode", "lexical", "--json"))["documents"] == 14
    assert len(list((cache / "eval").glob("*.json"))) == 2


def test_files_may_be_packed_and_lie_as_beir_puts_them(dataset: Path, cache: Path, shell: Shell) -> None:
    plain = parse_json(shell("eval", dataset, "--mode", "hybrid", "--json"))
    (dataset / "qrels").mkdir()
    (dataset / "qrels.tsv").rename(dataset / "qrels/test.tsv")
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        (dataset / f"{name}.gz").write_bytes(gzip.compress((dataset / name).read_bytes()))
        (dataset / name).unlink()
    report = parse_json(shell("eval", dataset, "--mode", "hybrid", "--json"))
    assert {**report, "took_ms_per_query": 0} == {**plain, "took_ms_per_query": 0}
    assert len(list((cache / "eval").glob("*.json"))) == 1  # the same corpus, packed or not
    shutil.rmtree(cache)
    assert parse_json(shell("eval", dataset, "--mode", "hybrid", "--json"))["ndcg@10"] == plain["ndcg@10"]


def test_documents_that_cannot_be_indexed_are_said_in_one_line_each_time(dataset: Path, shell: Shell) -> None:
    with (dataset / "corpus.jsonl").open("a") as corpus:
        corpus.write('{"_id": "e1", "title": "", "text": ""}\n{"_id": "e2", "text": " "}\n')
    for _ in range(2):
        result = shell("eval", dataset, "--mode", "lexical")
        assert result.status == 0
        assert "13 documents" in result.out
        message = f"2 documents of {dataset}/corpus.jsonl could not be indexed: document 'e1' has neither text nor a title"
        assert result.err.splitlines().count(message) == 1
    assert shell("eval", dataset, "--mode", "lexical", "-q").err == ""


# -- one's own collection


@pytest.fixture
def eval_options(tmp_path: Path, collection: vecsearch.Collection) -> list[object]:
    """Return the options for the collection at own/, with the files of the data set."""
    folder = write(tmp_path / "judged")
    return ["--queries", folder / "queries.jsonl", "--qrels", folder / "qrels.tsv", "--db", tmp_path / "own"]


def test_ones_own_collection_is_measured_and_not_changed(
    eval_options: list[object], collection: vecsearch.Collection, tmp_path: Path, cache: Path, shell: Shell
) -> None:
    before = (tmp_path / "own/vecsearch.db").read_bytes()
    answer = parse_json(shell("eval", *eval_options, "--json"))
    assert answer["dataset"] == "default"
    for run_report in answer["runs"]:
        run = evaluate(collection, QUERIES, QRELS, mode=run_report["mode"])
        assert run_report["ndcg@10"] == pytest.approx(run.mean(Measure.NDCG), abs=1e-6)
    assert (tmp_path / "own/vecsearch.db").read_bytes() == before
    assert not (cache / "eval").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
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
    arguments: list[str], message: str, dataset: Path, shell: Shell
) -> None:
    result = shell("eval", *arguments)
    assert (result.status, result.out) == (2, "")
    assert message in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("name", "content", "message"),
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
    name: str, content: str | bytes, message: str, eval_options: list[object], tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "judged" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    result = shell("eval", *eval_options)
    assert (result.status, result.out) == (1, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_a_header_may_be_missing_and_queries_without_a_text_are_said(
    eval_options: list[object], tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "judged/qrels.tsv").write_text("money\tloan\t1\nunheard\tloan\t1\r\n")
    result = shell("eval", *eval_options, "--mode", "lexical", "--json")
    assert parse_json(result)["queries"] == 1
    assert "Warning: left out, with no text in the queries: 1 query of the qrels: unheard" in result.err


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels.tsv"])
def test_what_is_not_there_is_named(name: str, dataset: Path, eval_options: list[object], shell: Shell) -> None:
    (dataset / name).unlink()
    result = shell("eval", dataset)
    assert (result.status, name in result.err) == (1, True)
    assert "is no folder" in shell("eval", dataset / "nowhere").err
    own_result = shell("eval", *eval_options, "--queries", "nowhere.jsonl")
    assert (own_result.status, "cannot read nowhere.jsonl: No such file" in own_result.err) == (1, True)
    assert shell("eval", *eval_options, "-c", "other").err.startswith("Error: no collection named 'other'")


def test_a_broken_archive_and_an_empty_corpus_are_errors(dataset: Path, cache: Path, shell: Shell) -> None:
    corpus_data = gzip.compress((dataset / "corpus.jsonl").read_bytes())
    (dataset / "corpus.jsonl").write_text("{}\n")
    result = shell("eval", dataset)
    assert (result.status, "gave no document" in result.err) == (1, True)
    (dataset / "corpus.jsonl").unlink()
    (dataset / "corpus.jsonl.gz").write_bytes(corpus_data[:-200])
    result = shell("eval", dataset)
    assert (result.status, "cannot read" in result.err) == (1, True)
    assert list((cache / "eval").glob("*.json")) == []


# -- the bound


def test_fail_under_fails_after_the_figures_and_says_why(eval_options: list[object], shell: Shell) -> None:
    run = parse_json(shell("eval", *eval_options, "--mode", "lexical", "--json", "--fail-under", "0", "--fail-under", "map=0"))
    value = run["recall@100"]
    assert value < 1
    result = shell(
        "eval", *eval_options, "--mode", "lexical", "--json", "--fail-under", "Recall@100=1", "--fail-under", "0.01", "-q"
    )
    assert result.status == 1
    assert json.loads(result.out)["recall@100"] == value
    assert result.err == f"Error: mode lexical: recall@100 {value:.4f} is less than 1\n"


def test_fail_under_judges_hybrid_where_no_mode_is_given(eval_options: list[object], shell: Shell) -> None:
    result = shell("eval", *eval_options, "--fail-under", "1", "-q")
    assert result.status == 1
    assert result.err.startswith("Error: mode hybrid: ndcg@10 0.")


def test_reading_judgements_from_code(dataset: Path) -> None:
    judgements = read_judgements(dataset / "queries.jsonl", dataset / "qrels.tsv")
    assert (judgements.queries, judgements.qrels) == (QUERIES, QRELS)
