"""The benchmarks' data: real texts, their vectors, made-up metadata, queries held out, and which answers are right."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

import numpy as np
import platformdirs
from numpy.typing import NDArray

from vecsearch.encoders import registry

Matrix: TypeAlias = NDArray[np.float32]
Metadata: TypeAlias = dict[str, str | int | bool]

DATA_FOLDER = Path(__file__).parents[2] / "shared" / "data"
TEXT_FILES = (
    DATA_FOLDER / "scale_pypi/corpus.jsonl.gz",
    DATA_FOLDER / "wordnet/synsets.tsv.gz",
    DATA_FOLDER / "scale_debian/corpus.jsonl.gz",
)
MADE_TEXTS = (
    Path(__file__).parents[1] / "build" / "texts" / "docstrings.jsonl.gz"
)  # by benchmarks.docstrings, where those are not
TEXT_MAX_CHARS = 300  # a text is cut to
SHARD_ROWS = 5_000  # vectors in one file of the cache, hence what a run that was cut off encodes again
BLOCK_ROWS = 50_000  # vectors compared at once
TOP_K = 10  # hits asked for
COSINE_TOLERANCE = 1e-6  # of a float32 cosine
PERTURBATION = 0.5  # length of what is added to a vector of length 1 where vectors are multiplied: a cosine of 0.89 to its origin
LANGUAGES, LANGUAGE_SHARES = ("en", "de", "fr", "es", "it"), (0.45, 0.19, 0.16, 0.12, 0.08)
RARE_SHARE = 0.006


class RowFilter(NamedTuple):
    """Only rows whose metadata has this value."""

    key: str
    value: str | bool


FILTERS: dict[str, RowFilter | None] = {"all": None, "some": RowFilter("lang", "de"), "few": RowFilter("rare", True)}


@dataclass(frozen=True, slots=True)
class CorpusRows:
    """What a collection is made of; a row's id is `first` + its place."""

    texts: Sequence[str]
    vectors: Matrix
    metadatas: Sequence[Metadata]
    first_id: int = 0

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def ids(self) -> list[int]:
        return list(range(self.first_id, self.first_id + len(self)))

    def split_batches(self, size: int) -> Iterator[CorpusRows]:
        for start in range(0, len(self), size):
            yield self.slice_rows(start, start + size)

    def slice_rows(self, start: int, stop: int) -> CorpusRows:
        return CorpusRows(self.texts[start:stop], self.vectors[start:stop], self.metadatas[start:stop], self.first_id + start)


def find_text_files(*preferred: Path) -> list[Path]:
    """Return the files of texts that are here: the preferred ones, else those made of docstrings; exits where there are none."""
    wanted = preferred or TEXT_FILES
    files = [path for path in wanted if path.exists()] or [path for path in [MADE_TEXTS] if path.exists()]
    if not files:
        raise SystemExit(f"{wanted[0]} is not there; `python -m benchmarks.docstrings` makes texts to use in its place")
    return files


def iterate_texts(files: Sequence[Path] | None = None, characters: int = TEXT_MAX_CHARS) -> Iterator[str]:
    """Yield the title and text of each line of JSON, or the lines of other files as they are, cut to so many characters."""
    for path in find_text_files() if files is None else files:
        with open_text(path) as lines:
            for line in lines:
                if ".jsonl" in path.name:
                    record = json.loads(line)
                    yield f"{record.get('title') or ''}\n{record.get('text') or ''}".strip()[:characters]
                else:
                    yield line.strip()[:characters]


def open_text(path: Path) -> IO[str]:
    """Open a text file, packed or not; exits where it is not there."""
    if not path.exists():
        raise SystemExit(f"{path} is not there")
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def load_vectors(
    needed_texts: Sequence[str], vectors_file: Path | None, encoded: int | None = None
) -> NDArray[np.float16 | np.float32]:
    """Load one row a text: the first of a .npy file, or those of the default encoder, kept in the user's cache.

    Where only the first `encoded` texts are to be encoded, the others get perturbed copies of their vectors.
    """
    if vectors_file is not None:
        rows: NDArray[np.float16 | np.float32] = np.load(vectors_file, mmap_mode="r")[: len(needed_texts)]
        if len(rows) < len(needed_texts) or not rows[-1].any():
            raise SystemExit(f"{vectors_file} holds fewer than the {len(needed_texts):,} vectors needed")
        return rows
    if encoded is not None and encoded < len(needed_texts):
        return extend_rows(load_vectors(needed_texts[:encoded], None), len(needed_texts))
    encoder = registry.load(None)
    folder = Path(platformdirs.user_cache_dir("vecsearch")) / "benchmarks" / encoder.fingerprint[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return np.concatenate(
        [
            _load_shard(folder, needed_texts[start : start + SHARD_ROWS], start)
            for start in range(0, len(needed_texts), SHARD_ROWS)
        ]
    )


def extend_rows(rows: NDArray[np.float16 | np.float32], count: int) -> NDArray[np.float16 | np.float32]:
    """Return so many rows: those given, then copies of them in turn, each perturbed by a random vector of its own."""
    extended = np.empty((count, rows.shape[1]), np.float16)
    extended[: len(rows)] = rows
    draws = np.random.default_rng(11)
    for start in range(len(rows), count, len(rows)):
        size = min(len(rows), count - start)
        noise = normalize_rows(draws.normal(size=(size, rows.shape[1])).astype(np.float32))
        extended[start : start + size] = normalize_rows(normalize_rows(rows[:size]) + PERTURBATION * noise)
    return extended


def _load_shard(folder: Path, needed_texts: Sequence[str], start: int) -> NDArray[np.float16]:
    path = folder / f"{start:07}-{_hash_texts(needed_texts)}.npy"
    if not path.exists():
        print(f"encoding texts {start:,} to {start + len(needed_texts):,}", file=sys.stderr, flush=True)
        rows = registry.load(None).encode_documents(needed_texts).astype(np.float16)
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, rows)
        path.with_suffix(".part").rename(path)
    shard: NDArray[np.float16] = np.load(path)
    return shard


def _hash_texts(needed_texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(needed_texts).encode()).hexdigest()[:16]


def make_metadatas(count: int) -> list[Metadata]:
    """Make a language (one has 19 % of the rows), a mark that 0.6 % have, and the row's number, independent of the text."""
    draws = np.random.default_rng(5).random((count, 2))
    languages = np.searchsorted(np.cumsum(LANGUAGE_SHARES)[:-1], draws[:, 0], side="right")
    return [
        {"lang": LANGUAGES[language], "rare": bool(draw < RARE_SHARE), "n": n}
        for n, (language, draw) in enumerate(zip(languages, draws[:, 1], strict=True))
    ]


def normalize_rows(rows: NDArray[np.float16 | np.float32]) -> Matrix:
    exact = np.asarray(rows, np.float32)
    lengths: Matrix = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / lengths


def write_corpus(
    folder: Path,
    count: int,
    queries: int,
    *,
    files: Sequence[Path] | None = None,
    vectors_file: Path | None = None,
    encoded: int | None = None,
) -> None:
    """Write the data of a collection of `count` rows into `folder`; every so many-th text is taken out as a query."""
    drawn_texts = list(islice(iterate_texts(files), count + queries))
    if len(drawn_texts) < count + queries:
        raise SystemExit(f"there are only {len(drawn_texts):,} texts, {count + queries:,} are needed")
    asking = np.zeros(len(drawn_texts), bool)
    asking[:: len(drawn_texts) // queries] = True
    asking[np.flatnonzero(asking)[queries:]] = False
    rows = load_vectors(drawn_texts, vectors_file, encoded)
    folder.mkdir(parents=True)
    np.save(folder / "queries.npy", normalize_rows(rows[asking]))
    stored_rows = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (count, rows.shape[1]))
    position = 0
    for start in range(0, len(drawn_texts), BLOCK_ROWS):
        block = normalize_rows(rows[start : start + BLOCK_ROWS][~asking[start : start + BLOCK_ROWS]])
        stored_rows[position : position + len(block)] = block
        position += len(block)
    stored_rows.flush()
    for name, chosen in (("texts.jsonl", ~asking), ("queries.jsonl", asking)):
        lines = (f"{json.dumps(text)}\n" for text, is_chosen in zip(drawn_texts, chosen, strict=True) if is_chosen)
        (folder / name).write_text("".join(lines), encoding="utf-8")


def load_corpus(folder: Path, count: int | None = None) -> CorpusRows:
    """Load the data that `write_corpus` wrote, or its first rows, which then are all that is in memory."""
    texts = load_texts(folder, count)
    return CorpusRows(texts, np.array(np.load(folder / "vectors.npy", mmap_mode="r")[: len(texts)]), make_metadatas(len(texts)))


def load_texts(folder: Path, count: int | None = None, name: str = "texts.jsonl") -> list[str]:
    with (folder / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, count)]


def write_documents(file: Path, texts: Sequence[str], prefix: str = "") -> None:
    """Write texts as JSON lines to index, their ids counted from 0 after a prefix."""
    lines = (json.dumps({"id": f"{prefix}{n}", "text": text}) + "\n" for n, text in enumerate(texts))
    file.write_text("".join(lines), encoding="utf-8")


class ExactSearch:
    """Brute force over float32: which ids are among the nearest that a filter leaves."""

    def __init__(self, folder: Path, queries: Matrix | None = None) -> None:
        """Compare with the queries given, else with those held out."""
        self._rows: Matrix = np.load(folder / "vectors.npy", mmap_mode="r")
        self._queries: Matrix = np.load(folder / "queries.npy") if queries is None else queries
        self._data = load_texts(folder), make_metadatas(len(self._rows))
        self._matches = {
            name: np.array([row_filter is None or metadata[row_filter.key] == row_filter.value for metadata in self._data[1]])
            for name, row_filter in FILTERS.items()
        }
        self._min_cosines = self._compute_min_cosines()

    @property
    def rows(self) -> int:
        return len(self._rows)

    def is_complete(self, answer: Sequence[tuple[int, str | None, Metadata | None]]) -> bool:
        """Return whether these hits are complete: each with its own text and metadata."""
        texts, metadatas = self._data
        return bool(answer) and all(text == texts[key] and metadata == metadatas[key] for key, text, metadata in answer)

    def _compute_min_cosines(self) -> dict[str, Matrix]:
        """Compute for each query the cosine that a hit must reach; equally near rows are equally right."""
        best = {name: np.full((len(self._queries), TOP_K), -np.inf, np.float32) for name in FILTERS}
        for start in range(0, len(self._rows), BLOCK_ROWS):
            cosines = self._queries @ self._rows[start : start + BLOCK_ROWS].T
            for name, matches in self._matches.items():
                candidates = np.hstack([best[name], cosines[:, matches[start : start + BLOCK_ROWS]]])
                best[name] = np.partition(candidates, -TOP_K, axis=1)[:, -TOP_K:]
        return {name: rows.min(axis=1) for name, rows in best.items()}

    def recall(self, name: str, found_ids: Sequence[Sequence[int]]) -> float:
        """Return the share that was found of the ten nearest (or of all that match, if fewer); a mean over the queries."""
        relevant_count = min(TOP_K, int(self._matches[name].sum()))
        right = 0
        for query, min_cosine, ids in zip(self._queries, self._min_cosines[name], found_ids, strict=False):
            matching = [row_id for row_id in dict.fromkeys(ids) if self._matches[name][row_id]]
            right += (
                min(relevant_count, int((self._rows[matching] @ query >= min_cosine - COSINE_TOLERANCE).sum())) if matching else 0
            )
        return right / (relevant_count * len(found_ids)) if relevant_count else 1.0
