"""The harness of the benchmarks measures the right thing and writes what it measured. Speed itself is not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import asking, corpus, docstrings, ingest, plot, questions, report, text_report
from benchmarks.questions import Question
from tests.conftest import PROJECT, SAMPLE_DATA

ROWS, QUERIES = 400, 20


@pytest.fixture(scope="module")
def data_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vectors") / "rows.npy"
    np.save(path, np.random.default_rng(1).normal(size=(ROWS + QUERIES, 384)).astype(np.float16))
    return path


@pytest.fixture
def data(data_template: Path, tmp_path: Path) -> Path:
    corpus.write_corpus(tmp_path / "data", ROWS, QUERIES, files=[SAMPLE_DATA / "words.jsonl"], vectors_file=data_template)
    return tmp_path / "data"


@pytest.mark.slow
def test_compare_writes_a_table_a_plot_and_figures(data_template: Path, tmp_path: Path) -> None:
    words = {"--queries": QUERIES, "--vectors": data_template, "--out": tmp_path, "--texts": SAMPLE_DATA / "words.jsonl"}
    command = [sys.executable, "-m", "benchmarks.compare", *(str(word) for pair in words.items() for word in pair)]
    arguments = [*command, "--peers", "vecsearch,faiss", "--rows", f"200,{ROWS}"]
    subprocess.run([*command, "--peers", "vecsearch", "--rows", "200"], check=True, cwd=PROJECT, capture_output=True)
    first = json.loads((tmp_path / "compare.json").read_text())["measured"]
    subprocess.run([*arguments, "--go-on"], check=True, cwd=PROJECT, capture_output=True)

    results = json.loads((tmp_path / "compare.json").read_text())["measured"]
    assert [(result["peer"], result["rows"]) for result in results] == [
        ("vecsearch", 200), ("faiss", 200), ("vecsearch", ROWS), ("faiss", ROWS)
    ]  # fmt: skip
    assert results[:1] == first
    for result in results[::2]:
        assert result["complete"]
        assert [result[kind]["recall"] for kind in ("all", "some", "few")] == [1.0, 1.0, 1.0]
        assert all(result[figure] > 0 for figure in ("ingest_s", "reopen_ms", "disk_mb", "memory_mb"))
    assert not any(result["complete"] or "some" in result or "failed" in result for result in results[1::2])
    table = (tmp_path / "compare.md").read_text().splitlines()
    assert len([line for line in table if line.startswith("| vecsearch") and "–" not in line]) == 2
    assert len([line for line in table if line.startswith("| faiss") and line.count("–") == 2]) == 2
    pictures = ElementTree.parse(tmp_path / "compare.svg").getroot()
    assert len(pictures.findall("{http://www.w3.org/2000/svg}g")) == len(plot.CHARTS)


def test_the_stages_of_ingest_are_all_timed() -> None:
    texts = [f"the {n}th text, about a subject" for n in range(6_000)]
    start_time = perf_counter()
    stages = ingest.measure_ingest(texts, ingest.make_vectors(len(texts)), 4_500)
    whole = perf_counter() - start_time

    assert all(seconds.wall > 0 and seconds.cpu >= 0 for seconds in stages.values())
    assert stages.keys() == {*ingest.STAGES, "all else"}
    assert sum(seconds.wall for seconds in stages.values()) < whole


@pytest.mark.slow
def test_compare_asks_in_words_too(data_template: Path, tmp_path: Path) -> None:
    words = {"--queries": QUERIES, "--vectors": data_template, "--out": tmp_path, "--texts": SAMPLE_DATA / "words.jsonl"}
    command = [
        sys.executable,
        "-m",
        "benchmarks.compare",
        "--ask",
        "texts",
        *(str(word) for pair in words.items() for word in pair),
    ]
    arguments = [*command, "--peers", "vecsearch,vecsearch-deletes", "--rows", "200"]
    subprocess.run(arguments, check=True, cwd=PROJECT, capture_output=True)
    whole, after_deletes = json.loads((tmp_path / "texts.json").read_text())["measured"]
    assert whole.keys() >= asking.SERIES.keys() - {"hybrid_given"} | {"encoding"}
    assert all(whole[name]["p50_ms"] <= whole[name]["p95_ms"] <= whole[name]["max_ms"] for name in whole.keys() & asking.SERIES)
    assert whole["lexical"]["found_share"] >= 0.95
    assert after_deletes["lexical"]["found_share"] >= 0.95
    assert whole["dense"]["recall"] >= 0.99
    assert "recall" not in after_deletes["dense"]
    table = (tmp_path / "texts.md").read_text()
    assert table.count("| vecsearch ") == table.count("| vecsearch-deletes ") == 2


def test_questions_are_the_same_each_time_and_of_their_kind(data: Path, tmp_path: Path) -> None:
    held_out, texts = corpus.load_texts(data, name="queries.jsonl"), corpus.load_texts(data)
    sets = questions.write_questions(data)
    assert sets == questions.make_questions(held_out, texts) == questions.load_questions(data)
    for question in sets["short"]:
        if question.sought_id is None:
            assert any(text.endswith(question.text) for text in held_out)
        else:
            assert question.sought_id % questions.DELETED_INTERVAL != 0
            assert set(question.text.split()) <= set(questions.list_words(texts[question.sought_id]))
    assert all(question.text.strip('"') in texts[question.sought_id or 0] for question in sets["phrases"])
    assert all(question.text.endswith("*") for question in sets["beginnings"])
    joined = list(questions.iterate_long_texts(held_out * 10, tmp_path / "absent"))
    assert joined
    assert all(len(text.split()) in questions.LONG_WORDS for text in joined)


def test_a_row_counts_as_found_for_the_questions_made_of_it() -> None:
    asked = [Question("a"), Question("b", 3), Question("c", 4)]
    assert asking.compute_found_share(asked, [[3], [1, 3], [1, 3]]) == 0.5
    assert asking.compute_found_share(asked[:1], [[3]]) is None


def test_vectors_beyond_the_encoded_ones_are_perturbed_copies_of_them() -> None:
    rows = corpus.normalize_rows(np.random.default_rng(2).normal(size=(20, 384)).astype(np.float32))
    extended = corpus.normalize_rows(corpus.extend_rows(rows, 50))
    assert extended[:20] == pytest.approx(rows, abs=1e-3)
    cosines = extended @ rows.T
    assert list(cosines.argmax(axis=1)) == [place % 20 for place in range(50)]
    assert 0.8 < cosines[20:].max(axis=1).min() < cosines[20:].max(axis=1).max() < 0.95
    report_line = report.describe_size([{"rows": 50, "vectors": "vectors: 20 encoded"}])
    assert "50 rows" in report_line
    assert "20 encoded" in report_line


def test_docstrings_become_texts_once_each(tmp_path: Path) -> None:
    (tmp_path / "tide.py").write_text('"""How high the water stands."""\ndef rise():\n    """Let the \\0water come in."""\n')
    (tmp_path / "copy.py").write_text('"""How high the water stands."""\n"""No."""\n')
    (tmp_path / "broken.py").write_text("def (")
    out = tmp_path / "made" / "texts.jsonl.gz"
    assert docstrings.write_docstrings([tmp_path], out) == 2
    texts = list(corpus.iterate_texts([out]))
    assert "tide.rise\nLet the water come in." in texts
    assert len(texts) == 2


@pytest.mark.parametrize("module", ["compare", "cold", "indexing", "encoding", "by_hand", "stages", "likeness"])
def test_a_benchmark_whose_data_is_absent_says_so_in_one_line(module: str, tmp_path: Path) -> None:
    script = f"""if 1:
        import sys, runpy
        from pathlib import Path
        from benchmarks import corpus
        corpus.DATA_FOLDER = corpus.MADE_TEXTS = Path("absent")
        corpus.TEXT_FILES = (Path("absent/corpus.jsonl"),)
        sys.argv = ["{module}"]
        runpy.run_module("benchmarks.{module}", run_name="__main__")
    """
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1 + run.stderr.count("is not installed")
    assert "is not there; `python -m benchmarks.docstrings` makes texts" in run.stderr or "lacks sts_benchmark" in run.stderr


def test_a_peer_that_is_not_installed_is_left_out_with_the_cure(tmp_path: Path, monkeypatch, capsys) -> None:
    from benchmarks import compare

    monkeypatch.setattr(compare, "is_installed", lambda peer: False)
    monkeypatch.setattr(sys, "argv", ["compare", "--peers", "chroma", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match="none"):
        compare.main()
    assert (
        "chroma is not installed and left out; pip install -c requirements.lock -c benchmarks/peers.lock -e '.[peers]'"
        in capsys.readouterr().err
    )


def test_queries_are_no_rows_of_the_collection(data: Path) -> None:
    rows, queries = corpus.load_corpus(data), np.load(data / "queries.npy")
    assert (len(rows), len(queries)) == (ROWS, QUERIES)
    assert (rows.vectors @ queries.T).max() < 0.9
    texts = list(corpus.iterate_texts([SAMPLE_DATA / "words.jsonl"]))
    step = (ROWS + QUERIES) // QUERIES
    assert list(rows.texts[: step - 1]) == texts[1:step]


def test_recall_counts_the_right_rows_of_each_filter_once(data: Path) -> None:
    exact, rows = corpus.ExactSearch(data), corpus.load_corpus(data)
    order = np.argsort(-(np.load(data / "queries.npy") @ rows.vectors.T), axis=1)
    best = [[int(number) for number in line[:10]] for line in order]
    german = [[int(number) for number in line if rows.metadatas[number]["lang"] == "de"][:10] for line in order]
    assert exact.recall("all", best) == exact.recall("some", german) == 1.0
    assert exact.recall("all", [[row] * 10 for row, *_ in best]) == pytest.approx(0.1)
    assert exact.recall("some", best) < 0.9
    assert exact.recall("all", [[int(number) for number in line[-10:]] for line in order]) == 0.0
    assert exact.recall("all", [[]] * QUERIES) == 0.0


def test_equally_near_rows_are_equally_right(data: Path) -> None:
    vectors = np.load(data / "vectors.npy")
    np.save(data / "vectors.npy", np.broadcast_to(vectors[0], vectors.shape))
    assert corpus.ExactSearch(data).recall("all", [range(390, 400)] * QUERIES) == 1.0


def test_a_hit_is_complete_with_its_own_text_and_metadata(data: Path) -> None:
    exact, rows = corpus.ExactSearch(data), corpus.load_corpus(data)
    assert exact.is_complete([(3, rows.texts[3], rows.metadatas[3])])
    assert not exact.is_complete([(3, rows.texts[4], rows.metadatas[3])])
    assert not exact.is_complete([(3, None, None)])
    assert not exact.is_complete([])


def test_metadata_has_the_shares_that_it_claims_and_grows_by_appending() -> None:
    metadatas = corpus.make_metadatas(20_000)
    assert metadatas[:100] == corpus.make_metadatas(100)
    assert np.mean([metadata["lang"] == "de" for metadata in metadatas]) == pytest.approx(0.19, abs=0.01)
    assert 0.003 < np.mean([metadata["rare"] for metadata in metadatas]) < 0.01


def test_what_failed_is_said() -> None:
    table = report.build_table(
        [{"peer": "x", "version": "1", "note": "n", "rows": 5, "failed": "not done after 3 s"}], report.describe_machine()
    )
    assert "x, 5 rows: not done after 3 s" in table
    assert "| x 1 | – | – |" in table
    text_table = text_report.build_text_table(
        [{"peer": "x", "version": "1", "note": "n", "rows": 5, "failed": "not done after 3 s"}], report.describe_machine()
    )
    assert "x, 5 rows: not done after 3 s" in text_table
