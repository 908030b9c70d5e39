"""The Python API of preferences: recommend by examples, and the saved profiles of what somebody likes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from vecsearch.api import arguments, profile_arguments
from vecsearch.api.arguments import Example
from vecsearch.api.searcher import CollectionSearcher, build_result_options, embed_document, load_centroid
from vecsearch.core.checks import is_unicode
from vecsearch.core.errors import InputError
from vecsearch.core.preferences import Preference, Profile, ProfileSummary
from vecsearch.core.results import Hits
from vecsearch.core.settings import LIMIT_DEFAULT
from vecsearch.core.timestamps import get_timestamp
from vecsearch.core.types import Mode, Threshold, Where, WindowSize
from vecsearch.search import engine, saved_profiles, selection
from vecsearch.search.engine import ResultOptions
from vecsearch.search.retrieval import Query
from vecsearch.search.saved_profiles import StoredExamples
from vecsearch.search.votes import PreferenceProfile, Votes
from vecsearch.stores.base import NO_IDS, CollectionInfo, Ids, Snapshot, Vector

if TYPE_CHECKING:
    from vecsearch.core.parsed import ParsedDocument


class CollectionRecommender(CollectionSearcher):
    """A collection to ask for what somebody may like."""

    def recommend(
        self,
        positive: Iterable[Example] = (),
        negative: Iterable[Example] = (),
        *,
        profile: str | Profile | None = None,
        half_life: float | None = None,
        boost: str | None = None,
        limit: int = LIMIT_DEFAULT,
        offset: int = 0,
        where: Where | None = None,
        min_similarity: Threshold | None = None,
        group_by: Literal["document"] | None = None,
        dedupe: bool = False,
        mmr: float | None = None,
        window: WindowSize = 0,
        explain: bool = False,
        highlight: bool = False,
    ) -> Hits:
        """Return chunks similar to some examples and not to others: what somebody may like.

        An example is the id of a stored document, or {"text": …}. `profile` is the name of saved likes and dislikes (see `like`),
        or a Profile: they count as examples too, the newest 200 of each, and with `half_life` by half after so many days, the
        newest in full. What any of them names is not found. `boost`, a metadata key, adds to the score of a document the share
        of documents that have a lower number there, from 0 to 1.

        A hit's `score`, in [-1, 1], is the cube root of the mean over all examples of the third power of their cosines with it,
        less the collection's mean vector, where a negative one counts half and against it. Its `similarity`, which
        `min_similarity` tests, is the plain cosine to the positive example that it is most similar to. Best first; for the other
        arguments see `search`.

        Raises InputError for an unknown id or profile, or where no document has a number at `boost`, UsageError where there is
        no positive example, CollectionNotFoundError, DimensionMismatchError as `similar` does.
        """
        options = arguments.parse_search_options(
            limit=limit, offset=offset, where=where, min_similarity=min_similarity, group_by=group_by, dedupe=dedupe, mmr=mmr,
            window=window, explain=explain,
        )  # fmt: skip
        positives, negatives = arguments.parse_examples(positive, negative, has_profile=profile is not None)
        half_life, examples = profile_arguments.parse_half_life(half_life, profile), [*positives, *negatives]

        def prepare(info: CollectionInfo) -> tuple[dict[str, Vector], ResultOptions]:
            load = self._bind_encoder(info)
            texts = [example for example in examples if not isinstance(example, str)]
            wish = build_result_options(options, info, load, self._open_snapshot, tokens=False, highlight=highlight)
            return {text.text: embed_document(text, load(), info, None) for text in texts}, wish

        def load_votes(snapshot: Snapshot, texts: Mapping[str, Vector]) -> StoredExamples:
            given, chunks = _load_given_examples(snapshot, self.name, positives, negatives, texts)
            return _count_votes(snapshot, given, chunks, profile, half_life)

        def answer(snapshot: Snapshot, prepared: tuple[dict[str, Vector], ResultOptions]) -> Hits:
            texts, wish = prepared
            if profile is None and not texts:
                asked = (tuple(map(str, positives)), tuple(map(str, negatives)))
                loaded = saved_profiles.remember(snapshot, asked, lambda: load_votes(snapshot, texts))
            else:
                loaded = load_votes(snapshot, texts)
            least, _ = arguments.resolve_min_similarity(snapshot, options)
            query = Query(None, None, Mode.DENSE, options.where, least, exclude=loaded.chunks)
            return engine.recommend(snapshot, query, wish, loaded.votes, boost=boost)

        return self._ask(prepare, answer, kind=(all(isinstance(example, str) for example in examples), explain))

    # -- saved profiles

    def like(self, profile: str, ids: str | Iterable[str], *, weight: float = 1.0) -> Profile:
        """Save that somebody likes documents, in the place of what was saved of them before; returns the profile.

        `profile` is any name. `weight`, above 0 and at most 1, says how much. The documents may be deleted, or indexed again,
        without the profile changing: one that is not there does not count. Raises DocumentNotFoundError for an id that is not
        there now, InputError.
        """
        return self._save_preferences(profile, ids, profile_arguments.check_weight(weight))

    def unlike(self, profile: str, ids: str | Iterable[str], *, weight: float = 1.0) -> Profile:
        """Save that somebody does not like documents; else as `like`."""
        return self._save_preferences(profile, ids, -profile_arguments.check_weight(weight))

    def forget_preferences(self, profile: str, ids: str | Iterable[str]) -> int:
        """Delete what a profile holds of documents, which need not be there any more; returns of how many it held something."""
        name, keys = profile_arguments.check_profile_name(profile), arguments.parse_ids(ids) or []
        with self._store.open_writer(self.name) as writer:
            return writer.delete_preferences(name, keys)

    def delete_profile(self, profile: str) -> int:
        """Delete all that is saved of somebody; returns of how many documents something was."""
        name = profile_arguments.check_profile_name(profile)
        with self._store.open_writer(self.name) as writer:
            return writer.delete_preferences(name)

    def get_profile(self, profile: str) -> Profile:
        """Return all that is saved of somebody, the newest first. Raises InputError where nothing is."""
        with self._open_snapshot() as snapshot:
            return saved_profiles.load_profile(snapshot, profile_arguments.check_profile_name(profile))

    def list_profiles(self) -> list[ProfileSummary]:
        """Return whose likes and dislikes are saved, by name. Raises CollectionNotFoundError."""
        with self._open_snapshot() as snapshot:
            return list(snapshot.list_profiles())

    def _save_preferences(self, profile: str, ids: str | Iterable[str], weight: float) -> Profile:
        name, now = profile_arguments.check_profile_name(profile), get_timestamp()
        keys = self._select_ids(ids, None, None)
        with self._store.open_writer(self.name) as writer:
            writer.set_preferences(name, [Preference(key, weight, now) for key in keys])
        return self.get_profile(name)


def _load_given_examples(
    snapshot: Snapshot,
    collection: str,
    positives: Sequence[str | ParsedDocument],
    negatives: Sequence[str | ParsedDocument],
    texts: Mapping[str, Vector],
) -> tuple[PreferenceProfile, Ids]:
    """Return the examples of a question, texts as the vectors they have by now, and the chunks of those that are stored.

    Raises InputError for an unknown id, or a document without a vector.
    """
    width = snapshot.info.encoder.dimension
    if not positives and not negatives:
        return PreferenceProfile.from_examples(np.empty((0, width), np.float32), np.empty((0, width), np.float32)), NO_IDS
    keys = list(dict.fromkeys(example for example in (*positives, *negatives) if isinstance(example, str)))
    whole = snapshot.find_chunk_ids([key for key in keys if is_unicode(key)])
    means = saved_profiles.load_means(snapshot, list(whole.values()))
    vectors = {key: mean for key, mean, is_made in zip(whole, means, np.any(means != 0, axis=1).tolist(), strict=True) if is_made}
    chunks = list(whole.values())
    for key in keys:  # a chunk, the key of a row, what has no vector, or what is not there
        if key not in vectors:
            example = selection.select_example(snapshot, collection, key)
            vectors[key] = load_centroid(snapshot, example)
            chunks.append(example.document)
    positive, negative = (
        np.array([vectors[example] if isinstance(example, str) else texts[example.text] for example in examples], np.float32)
        for examples in (positives, negatives)
    )
    profile = PreferenceProfile.from_examples(positive.reshape(-1, width), negative.reshape(-1, width))
    return profile, np.unique(np.concatenate([NO_IDS, *chunks]))


def _count_votes(
    snapshot: Snapshot, given: PreferenceProfile, chunks: Ids, profile: str | Profile | None, half_life: float | None
) -> StoredExamples:
    """Return the given examples, whose chunks these are, and those of a profile together, with their votes."""
    if profile is None:
        return StoredExamples(given, Votes.from_profile(snapshot, given), chunks)
    saved = saved_profiles.load_profile(snapshot, profile) if isinstance(profile, str) else profile
    loaded = saved_profiles.load_examples(snapshot, saved, half_life)
    if not len(given.positive) and not len(loaded.profile.positive):
        raise InputError(
            f"of the {len(saved.likes):,} documents that {saved.name!r} likes none is in the collection with a vector: there is "
            f"nothing to recommend by; to save more: vecsearch profile like {saved.name} ID"
        )
    if not len(given.positive) and not len(given.negative):
        return loaded
    both = given.join(loaded.profile)
    return StoredExamples(both, Votes.from_profile(snapshot, both), np.union1d(chunks, loaded.chunks))
