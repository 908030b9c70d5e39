"""In every state that a collection can be in, the top ten equal brute force over what SQLite holds."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import Stemmer

import vecsearch
from tests.conftest import CommandResult
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.encoders.base import TextEncoder
from vecsearch.text.query_parser import load_function_words

TOPICS = ["the river bank in spring", "a savings bank", "fashion models", "training a model", "bats at dusk", "cricket bats"]
QUERIES = [
    "where do bats fly in the evening",
    "money in a bank account",
    "spring",
    "a walk along the river",
    "bats",
    "river-bank in spring",
]
FILTERS = {"none": None, "half": {"half": True}, "one percent": {"number": {"$in": [7, 130, 251]}}, "single row": {"number": 77}}
MODES = ("dense", "lexical", "hybrid")


def make_texts(numbers: Sequence[int], *, version: str = "") -> list[str]:
    """Make distinct short texts; some share all their words with others, so that scores tie."""
    return [
        f"{TOPICS[n % 6]} {'and bats ' * (n % 3)}{'in the evening' if n % 5 == 0 else ''} {version} {n // 12}" for n in numbers
    ]


def add(path: Path, numbers: Sequence[int], *, version: str = "", on_conflict: str = "error") -> None:
    with vecsearch.open(path) as collection:
        collection.add(
            make_texts(numbers, version=version), ids=[f"d{n}" for n in numbers], on_conflict=on_conflict,
            metadatas=[{"number": n, "half": n % 2 == 0} for n in numbers],
            titles=[TOPICS[(n + 1) % 6] if n % 7 == 0 else None for n in numbers],
        )  # fmt: skip


def publish(path: Path) -> Path:
    with vecsearch.open(path) as collection:
        collection.optimize()
    return find_newest_file(path)


def find_newest_file(path: Path) -> Path:
    return max((path / "index").glob("*-*.faiss"), key=lambda file: int(file.stem.split("-")[1]))


# -- the states


def add_first_documents(path: Path) -> None:
    add(path, range(300))


def publish_first_documents(path: Path) -> None:
    add_first_documents(path)
    publish(path)


def add_more_documents(path: Path) -> None:
    publish_first_documents(path)
    add(path, range(300, 330))


def update_documents(path: Path) -> None:
    add_more_documents(path)
    add(path, [*range(0, 40), 310, 77], version="again", on_conflict="replace")


def delete_documents(path: Path) -> None:
    update_documents(path)
    with vecsearch.open(path) as collection:
        collection.delete([f"d{n}" for n in (*range(20, 60), 320, 299)])


def delete_everything(path: Path) -> None:
    delete_documents(path)
    with vecsearch.open(path) as collection:
        collection.delete(where={"number": {"$gte": 0}})
        assert collection.count() == 0


def fold_segments(path: Path) -> None:
    delete_documents(path)
    publish(path)


def kill_before_publish(path: Path) -> None:
    """Commit the rows, and kill the process before the index file is written."""
    delete_documents(path)
    script = (
        "import os, signal, vecsearch\n"
        "from vecsearch.stores.sqlite.write import compaction\n"
        "compaction.build_segment = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"collection = vecsearch.open({str(path)!r})\n"
        "collection.add(['bats over the river bank', 'evening bats'], ids=['k1', 'k2'])\n"
        "collection.optimize()\n"
    )
    process = subprocess.run([sys.executable, "-c", script], check=False)
    assert process.returncode == -signal.SIGKILL


def kill_while_naming(path: Path) -> None:
    """Leave what a killed process leaves: the next index file is written, and SQLite does not name it yet."""
    delete_documents(path)
    file = find_newest_file(path)
    collection, segment = file.stem.split("-")
    file.with_name(f"{collection}-{int(segment) + 1}.faiss").write_bytes(file.read_bytes())


def remove_newest_file(path: Path) -> None:
    delete_documents(path)
    find_newest_file(path).unlink()


def truncate_newest_file(path: Path) -> None:
    fold_segments(path)
    file = find_newest_file(path)
    os.truncate(file, file.stat().st_size // 2)


def flip_one_byte(path: Path) -> None:
    fold_segments(path)
    file = find_newest_file(path)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x40
    file.write_bytes(data)


def restore_older_generation(path: Path) -> None:
    """Put a copy of the previous index file where the current one should be."""
    publish_first_documents(path)
    old = find_newest_file(path).read_bytes()
    add(path, range(300, 330))
    publish(path).write_bytes(old)


def store_without_vectors(path: Path) -> None:
    """Add texts without a vector, vectors without a text, and change which documents have one."""
    delete_documents(path)
    rows: list[Any] = [None] * 40
    numbers = [*range(400, 435), 90, 91, 92, 93, 94]
    with vecsearch.open(path) as collection:
        vectors = collection.embed(make_texts(range(30)))
        metadatas = [{"number": n, "half": n % 2 == 0} for n in numbers]
        collection.upsert(make_texts(numbers), ids=[f"d{n}" for n in numbers], metadatas=metadatas, vectors=rows)
        collection.add(None, ids=[f"v{n}" for n in range(30)], metadatas=[{"half": True}] * 30, vectors=vectors)
        collection.delete([f"d{n}" for n in (405, 94)] + ["v7"])


def store_without_vectors_and_publish(path: Path) -> None:
    store_without_vectors(path)
    publish(path)
    with vecsearch.open(path) as collection:
        collection.update_many(["d400", "v3"], texts=[None, "bats by the river"], vectors=collection.embed(["bats"] * 2))
        collection.add(make_texts(range(500, 520)), vectors=[None] * 20)


STATES = [
    add_first_documents, publish_first_documents, add_more_documents, update_documents, delete_documents, delete_everything,
    store_without_vectors, store_without_vectors_and_publish,
    fold_segments, kill_before_publish, kill_while_naming, remove_newest_file, truncate_newest_file, flip_one_byte,
    restore_older_generation,
]  # fmt: skip


# -- the oracle: everything from SQLite, nothing from our own code but the list of function words


@dataclass(frozen=True, slots=True)
class Row:
    id: int
    key: str
    title: str
    text: str
    metadata: dict[str, object]
    vector: np.ndarray


def read_rows(path: Path) -> list[Row]:
    connection = sqlite3.connect(f"file:{path / DATABASE_FILE}?mode=ro", uri=True)
    try:
        rows = connection.execute(
            "SELECT c.id, d.external_id, coalesce(d.title, ''), substr(d.text, c.start + 1, c.\"end\" - c.start), d.metadata, "
            "coalesce(v.vector, zeroblob(768)) "
            "FROM chunks c JOIN documents d ON d.id = c.document_id LEFT JOIN vectors v ON v.chunk_id = c.id ORDER BY c.id"
        ).fetchall()
    finally:
        connection.close()
    return [Row(i, k, t, b, json.loads(m), np.frombuffer(v, np.float16).astype(np.float32)) for i, k, t, b, m, v in rows]


def stem_texts(texts: Sequence[str]) -> list[list[str]]:
    """Stem words with Snowball's English stemmer, one list a text."""
    stemmer = Stemmer.Stemmer("english")
    return [stemmer.stemWords(re.findall(r"[a-z0-9]+", text.lower())) for text in texts]


def list_clauses(query: str) -> dict[tuple[str, ...], tuple[float, bool]]:
    """List what is looked up, in stems: its weight, and whether an identifier has it, whose words are a phrase too."""
    clauses: dict[tuple[str, ...], tuple[float, bool]] = {}
    for written in query.lower().split():
        stems = stem_texts([written])[0]
        if len(stems) > 1:
            clauses |= {tuple(stems): (0.3, False)} | {(stem,): (1.0, True) for stem in stems}
        elif written not in load_function_words("en"):
            clauses[tuple(stems)] = (1.0, False)
    return clauses


@dataclass(frozen=True, slots=True)
class Words:
    """BM25 of the rows that hold a term, the sum's upper bound, and how much vectors count beside it."""

    scores: dict[int, float]
    max_score: float
    dense_weight: float


def bm25(rows: Sequence[Row], query: str) -> Words:
    """Compute Robertson's formula over every row."""
    tokens = stem_texts([f"{row.title} {row.text}" for row in rows])
    mean = sum(map(len, tokens)) / max(1, len(tokens))
    scores: dict[int, float] = {}
    max_score = of_words = of_identifiers = 0.0
    for clause, (weight, is_identifier) in list_clauses(query).items():
        counts = [sum(each[at : at + len(clause)] == list(clause) for at in range(len(each))) for each in tokens]
        holders = [(row.id, n, len(each)) for row, n, each in zip(rows, counts, tokens, strict=True) if n]
        idf = math.log(1 + (len(rows) - len(holders) + 0.5) / (len(holders) + 0.5))
        of_words += idf * (len(clause) == 1)
        of_identifiers += idf * is_identifier
        max_score += weight * idf * 2.2 * (1 if holders else 0.5)
        for chunk, count, length in holders:
            own = weight * idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))
            scores[chunk] = scores.get(chunk, 0.0) + own
    share = of_identifiers / of_words
    return Words(scores, max_score, 1 - 0.9 * (3 * share**2 - 2 * share**3))


def count_trigrams(text: str) -> Counter[str]:
    """Count three letters, or two and an end of their word."""
    return Counter(f" {word} "[start : start + 3] for word in re.findall(r"\w+", text.lower()) for start in range(len(word)))


def rescore_best(
    rows: Sequence[Row], query: str, weight: float, candidates: Sequence[tuple[Row, float, float]]
) -> dict[str, float]:
    """Rescore the best 50: a part of what words say is replaced by their trigrams, then the best five count, then neighbours."""
    best = sorted(candidates, key=lambda candidate: (-candidate[1], candidate[0].id))[:50]
    trigrams = score_trigrams(rows, query, [row for row, _, _ in best])
    most, given_up = max(trigrams, default=0.0) or 1.0, (1 + weight) / 4
    spelled = [
        (row, score - given_up * words + 0.3 * own / most) for (row, score, words), own in zip(best, trigrams, strict=True)
    ]
    pairs = score_word_pairs(rows, query, [row for row, _ in spelled])
    parts = zip(spelled, score_feedback(spelled), pairs, strict=True)
    return {
        row.key: score + 0.8 * weight * feedback + 0.2 * (1 - weight) * together for (row, score), feedback, together in parts
    }


def sample(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """Return every 2^n-th row, `most` at most."""
    return rows[:: next(2**n for n in range(20) if len(rows) <= most * 2**n)]


def score_feedback(scored: Sequence[tuple[Row, float]]) -> list[float]:
    """Compute each row's mean cosine with the best five, those behind the first counting less."""
    first = sorted(scored, key=lambda pair: (-pair[1], pair[0].id))[:5]
    weights = [math.exp(20 * (score - first[0][1])) for _, score in first]
    return [
        min(
            1.0,
            sum(weight * float(row.vector @ other.vector) for weight, (other, _) in zip(weights, first, strict=True))
            / sum(weights),
        )
        for row, _ in scored
    ]


def list_word_pairs(text: str) -> set[frozenset[str]]:
    """List neighbouring words by their first six letters, up to four function words passed over."""
    function_words = {word[:6] for word in load_function_words("en")}
    words = [(place, word[:6]) for place, word in enumerate(re.findall(r"[a-z0-9]+", text.lower()))]
    told = [(place, word) for place, word in words if word not in function_words]
    return {frozenset((one, other)) for (m, one), (n, other) in itertools.pairwise(told) if n - m <= 5 and one != other}


def score_word_pairs(rows: Sequence[Row], query: str, best: Sequence[Row]) -> list[float]:
    """Compute the share of the question's pairs in some rows, by idf."""
    bags = [list_word_pairs(f"{row.title} {row.text}") for row in sample(rows, 128)]
    idf = {
        pair: math.log(1 + (len(bags) - have + 0.5) / (have + 0.5))
        for pair in list_word_pairs(query)
        for have in [sum(pair in bag for bag in bags)]
    }
    whole = sum(idf.values()) or 1.0
    return [sum(idf[pair] for pair in idf.keys() & list_word_pairs(f"{row.title} {row.text}")) / whole for row in best]


def score_trigrams(rows: Sequence[Row], query: str, best: Sequence[Row]) -> list[float]:
    """Compute BM25 of the question's trigrams in some rows, as a share of what none can reach."""
    bags = [count_trigrams(f"{row.title} {row.text}") for row in sample(rows, 128)]
    mean = sum(bag.total() for bag in bags) / max(1, len(bags))
    idf = {
        gram: math.log(1 + (len(bags) - have + 0.5) / (have + 0.5))
        for gram in count_trigrams(query)
        for have in [sum(gram in bag for bag in bags)]
    }
    scores = []
    for row in best:
        bag = count_trigrams(f"{row.title} {row.text}")
        usual = 1.2 * (0.25 + 0.75 * bag.total() / mean)
        scores.append(sum(idf[gram] * bag[gram] / (bag[gram] + usual) for gram in idf) / sum(idf.values()))
    return scores


def search_by_brute_force(
    rows: Sequence[Row], encoder: TextEncoder, query: str, mode: str, keep: Callable[[Row], bool]
) -> dict[str, float]:
    """Score every row that matches."""
    vector = encoder.encode_queries([query])[0]
    cosine = {row.id: float(row.vector @ vector / (np.linalg.norm(row.vector) or 1.0)) for row in rows}
    words = bm25(rows, query)
    matching_rows = [row for row in rows if keep(row)]
    if mode == "dense":
        return {row.key: cosine[row.id] for row in matching_rows if row.vector.any()}
    if mode == "lexical":
        return {row.key: words.scores[row.id] for row in matching_rows if row.id in words.scores}
    candidates = []
    for row in [row for row in matching_rows if row.vector.any() or row.id in words.scores]:
        share = words.scores.get(row.id, 0.0) / words.max_score
        meaning = cosine[row.id] + 0.5 * math.sqrt(max(cosine[row.id], 0.0) * share)
        candidates.append((row, words.dense_weight * meaning + share, share))
    return {row.key: score for row, score, _ in candidates} | rescore_best(rows, query, words.dense_weight, candidates)


def make_predicate(where: Mapping[str, Any] | None) -> Callable[[Row], bool]:
    match where:
        case None:
            return lambda row: True
        case {"half": value}:
            return lambda row: row.metadata.get("half") == value
        case {"number": {"$in": numbers}}:
            return lambda row: row.metadata.get("number") in numbers
        case {"number": number}:
            return lambda row: row.metadata.get("number") == number
    raise AssertionError(where)


def assert_right(collection: vecsearch.Collection, path: Path, encoder: TextEncoder) -> None:
    rows = read_rows(path)
    for mode in MODES:
        for where in FILTERS.values():
            for query in QUERIES:
                expected = search_by_brute_force(rows, encoder, query, mode, make_predicate(where))
                hits = collection.search(query, mode=mode, where=where, limit=10)
                assert_same_ranking(hits, expected)


def assert_same_ranking(hits: Sequence[vecsearch.Hit], expected: dict[str, float]) -> None:
    """Check for the same scores in the same order; between equal scores, that of the earlier row first."""
    assert len(hits) == min(10, len(expected))
    best = sorted(expected.values(), reverse=True)[: len(hits)]
    assert [hit.score for hit in hits] == pytest.approx(best, abs=2e-5)
    assert [expected[hit.id] for hit in hits] == pytest.approx(best, abs=2e-5)
    assert len({hit.id for hit in hits}) == len(hits)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "life.vec"


@pytest.mark.parametrize("reach", STATES, ids=lambda state: state.__name__)
def test_top_ten_equals_brute_force(reach: Callable[[Path], None], path: Path, encoder: TextEncoder) -> None:
    reach(path)
    with vecsearch.open(path, readonly=True) as reopened:
        assert_right(reopened, path, encoder)


def test_top_ten_equals_brute_force_while_another_process_writes(path: Path, encoder: TextEncoder) -> None:
    """One open reader, which sees each commit of a second process on its next query."""
    publish_first_documents(path)
    script = (
        "import sys, vecsearch\n"
        f"with vecsearch.open({str(path)!r}) as collection:\n"
        "    collection.add(['bats in the evening by the river'], ids=['second-1'])\n"
        "    print('added', flush=True); sys.stdin.readline()\n"
        "    collection.delete(['d0', 'd5', 'd10']); collection.optimize()\n"
        "    print('deleted', flush=True); sys.stdin.readline()\n"
        "    collection.add(['spring, once more'], ids=['d5'])\n"
        "    print('added again', flush=True); sys.stdin.readline()\n"
    )
    with vecsearch.open(path, readonly=True) as reader:
        assert_right(reader, path, encoder)
        for _ in run_steps(script):
            assert_right(reader, path, encoder)
        assert reader.get("second-1")[0].text == "bats in the evening by the river"


def run_steps(script: str) -> Iterator[str]:
    """Run a script that prints a line after each step and waits for one."""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin and child.stdout
        for line in child.stdout:
            yield line
            child.stdin.write("\n")
            child.stdin.flush()
    assert child.returncode == 0


def test_a_writer_answers_rightly_between_its_own_writes(path: Path, encoder: TextEncoder) -> None:
    with vecsearch.open(path) as collection:
        for n in range(0, 60, 20):
            collection.add(make_texts(range(n, n + 20)), ids=[f"d{i}" for i in range(n, n + 20)])
            assert_right(collection, path, encoder)
        collection.delete([f"d{i}" for i in range(10, 30)])
        assert_right(collection, path, encoder)
        collection.optimize()
        assert_right(collection, path, encoder)


def test_ids_of_rows_are_never_used_again(path: Path) -> None:
    publish_first_documents(path)
    highest = max(row.id for row in read_rows(path))
    with vecsearch.open(path) as collection:
        collection.delete(["d299"])
        collection.add(["a new one"], ids=["d299"])
    assert next(row.id for row in read_rows(path) if row.key == "d299") > highest


def test_a_damaged_index_is_a_note_to_doctor_and_optimize_mends_it(shell: Callable[..., CommandResult], tmp_path: Path) -> None:
    flip_one_byte(tmp_path / "life.vec")
    result = shell("doctor", "--db", "life.vec", "--json")
    assert result.status == 0
    (finding,) = json.loads(result.out)["findings"]
    assert finding["severity"] == "note"
    assert "damaged" in finding["what"]
    assert shell("optimize", "--db", "life.vec").status == 0
    report = json.loads(shell("doctor", "--db", "life.vec", "--json").out)
    assert (report["ok"], report["findings"]) == (True, [])
