"""The benchmarks' data: real texts, their vectors, made-up metadata, queries held out, and which answers are right."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

import numpy as np
import platformdirs
from numpy.typing import NDArray

from vecsearch.encoding import registry

Matrix: TypeAlias = NDArray[np.float32]
Metadata: TypeAlias = dict[str, str | int | bool]

SHARED = Path(__file__).parents[2] / "shared" / "data"
FILES = (SHARED / "scale_pypi/corpus.jsonl.gz", SHARED / "wordnet/synsets.tsv.gz", SHARED / "scale_debian/corpus.jsonl.gz")
CHARACTERS = 300  # a text is cut to
SHARD = 20_000  # vectors in one file of the cache
BLOCK = 50_000  # vectors compared at once
NEAR = 10  # hits asked for
ROUNDING = 1e-6  # of a float32 cosine
LANGUAGES, SHARES = ("en", "de", "fr", "es", "it"), (0.45, 0.19, 0.16, 0.12, 0.08)
RARE = 0.006


class Filter(NamedTuple):
    """Only rows whose metadata has this value."""

    key: str
    value: str | bool


FILTERS: dict[str, Filter | None] = {"all": None, "some": Filter("lang", "de"), "few": Filter("rare", True)}


@dataclass(frozen=True, slots=True)
class Rows:
    """What a collection is made of; a row's id is `first` + its place."""

    texts: Sequence[str]
    vectors: Matrix
    metadatas: Sequence[Metadata]
    first: int = 0

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def ids(self) -> list[int]:
        return list(range(self.first, self.first + len(self)))

    def portions(self, size: int) -> Iterator[Rows]:
        for at in range(0, len(self), size):
            yield self.some(at, at + size)

    def some(self, start: int, stop: int) -> Rows:
        return Rows(self.texts[start:stop], self.vectors[start:stop], self.metadatas[start:stop], self.first + start)


def texts(files: Sequence[Path] = FILES, characters: int = CHARACTERS) -> Iterator[str]:
    """Title and text of each line of JSON, other files' lines as they are; cut to so many characters."""
    for path in files:
        with _opened(path) as lines:
            for line in lines:
                if ".jsonl" in path.name:
                    each = json.loads(line)
                    yield f"{each.get('title') or ''}\n{each.get('text') or ''}".strip()[:characters]
                else:
                    yield line.strip()[:characters]


def _opened(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def vectors(wanted: Sequence[str], given: Path | None) -> NDArray[np.float16 | np.float32]:
    """One row a text: the first of a .npy file, or encoded by the default encoder and kept in the user's cache."""
    if given is not None:
        rows: NDArray[np.float16 | np.float32] = np.load(given, mmap_mode="r")[: len(wanted)]
        if len(rows) < len(wanted) or not rows[-1].any():
            raise SystemExit(f"{given} holds fewer than the {len(wanted):,} vectors needed")
        return rows
    encoder = registry.load(None)
    folder = Path(platformdirs.user_cache_dir("vecsearch")) / "benchmarks" / encoder.fingerprint[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return np.concatenate([_shard(folder, wanted[at : at + SHARD], at) for at in range(0, len(wanted), SHARD)])


def _shard(folder: Path, wanted: Sequence[str], at: int) -> NDArray[np.float16]:
    path = folder / f"{at:07}-{_digest(wanted)}.npy"
    if not path.exists():
        print(f"encoding texts {at:,} to {at + len(wanted):,}", flush=True)
        rows = registry.load(None).encode_documents(wanted).astype(np.float16)
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, rows)
        path.with_suffix(".part").rename(path)
    kept: NDArray[np.float16] = np.load(path)
    return kept


def _digest(wanted: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(wanted).encode()).hexdigest()[:16]


def metadatas(count: int) -> list[Metadata]:
    """A language, of which one has 19 % of the rows, a mark that 0.6 % have, and the row's number; independent of the text."""
    draws = np.random.default_rng(5).random((count, 2))
    languages = np.searchsorted(np.cumsum(SHARES)[:-1], draws[:, 0], side="right")
    return [
        {"lang": LANGUAGES[language], "rare": bool(draw < RARE), "n": n}
        for n, (language, draw) in enumerate(zip(languages, draws[:, 1], strict=True))
    ]


def unit(rows: NDArray[np.float16 | np.float32]) -> Matrix:
    exact = np.asarray(rows, np.float32)
    lengths: Matrix = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / lengths


def write(folder: Path, count: int, queries: int, *, files: Sequence[Path] = FILES, given: Path | None = None) -> None:
    """Lay the data of a collection of `count` rows into `folder`, every so many-th text being taken out as a query."""
    taken = list(islice(texts(files), count + queries))
    if len(taken) < count + queries:
        raise SystemExit(f"there are only {len(taken):,} texts, {count + queries:,} are needed")
    asking = np.zeros(len(taken), bool)
    asking[:: len(taken) // queries] = True
    asking[np.flatnonzero(asking)[queries:]] = False
    rows = vectors(taken, given)
    folder.mkdir(parents=True)
    np.save(folder / "queries.npy", unit(rows[asking]))
    kept = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (count, rows.shape[1]))
    at = 0
    for start in range(0, len(taken), BLOCK):
        some = unit(rows[start : start + BLOCK][~asking[start : start + BLOCK]])
        kept[at : at + len(some)] = some
        at += len(some)
    kept.flush()
    left = [text for text, asks in zip(taken, asking, strict=True) if not asks]
    (folder / "texts.jsonl").write_text("".join(f"{json.dumps(text)}\n" for text in left), encoding="utf-8")


def read(folder: Path, count: int | None = None) -> Rows:
    """The data that `write` laid down, or its first rows, which then is all that memory holds of it."""
    held = read_texts(folder, count)
    return Rows(held, np.array(np.load(folder / "vectors.npy", mmap_mode="r")[: len(held)]), metadatas(len(held)))


def read_texts(folder: Path, count: int | None = None) -> list[str]:
    with (folder / "texts.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, count)]


class Exact:
    """Brute force over float32: which ids are among the nearest that a filter leaves."""

    def __init__(self, folder: Path) -> None:
        self._rows: Matrix = np.load(folder / "vectors.npy", mmap_mode="r")
        self._queries: Matrix = np.load(folder / "queries.npy")
        self._data = read_texts(folder), metadatas(len(self._rows))
        self._matches = {
            name: np.array([only is None or each[only.key] == only.value for each in self._data[1]])
            for name, only in FILTERS.items()
        }
        self._least = self._tenth_best()

    @property
    def rows(self) -> int:
        return len(self._rows)

    def holds(self, answer: Sequence[tuple[int, str | None, Metadata | None]]) -> bool:
        """Whether these hits are complete: each with its own text and metadata."""
        texts, metadatas = self._data
        return bool(answer) and all(text == texts[key] and held == metadatas[key] for key, text, held in answer)

    def _tenth_best(self) -> dict[str, Matrix]:
        """For each query the cosine that a hit must reach; equally near rows are equally right."""
        best = {name: np.full((len(self._queries), NEAR), -np.inf, np.float32) for name in FILTERS}
        for at in range(0, len(self._rows), BLOCK):
            cosines = self._queries @ self._rows[at : at + BLOCK].T
            for name, matches in self._matches.items():
                some = np.hstack([best[name], cosines[:, matches[at : at + BLOCK]]])
                best[name] = np.partition(some, -NEAR, axis=1)[:, -NEAR:]
        return {name: rows.min(axis=1) for name, rows in best.items()}

    def recall(self, name: str, found: Sequence[Sequence[int]]) -> float:
        """Of the ten nearest (or of all that match, where those are fewer), the share that was found; a mean over the queries."""
        wanted = min(NEAR, int(self._matches[name].sum()))
        right = 0
        for query, least, ids in zip(self._queries, self._least[name], found, strict=False):
            matching = [each for each in dict.fromkeys(ids) if self._matches[name][each]]
            right += min(wanted, int((self._rows[matching] @ query >= least - ROUNDING).sum())) if matching else 0
        return right / (wanted * len(found)) if wanted else 1.0
