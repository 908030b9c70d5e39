"""What the Python API says of a word: in which meanings a collection uses it, and whether it means the same in two texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from vecsearch.api import question_models
from vecsearch.api.recommender import CollectionRecommender
from vecsearch.core.checks import check_query, shorten_repr
from vecsearch.core.senses import SameSense, Sense, SenseGroup, WordSenses
from vecsearch.core.types import AnyPath
from vecsearch.encoders.base import TokenEncoder
from vecsearch.stores.base import CollectionInfo, Snapshot
from vecsearch.text.analyzer import STEMMER_DEFAULT

if TYPE_CHECKING:
    from vecsearch.text.sought_word import SoughtWord

_DEFINED_BY: Final = 5  # the most typical passages of a group, from which its definition is chosen


class CollectionWords(CollectionRecommender):
    """A collection to ask about words."""

    def senses(self, word: str, *, wordnet: AnyPath | None = None) -> WordSenses:
        """Return the passages that use a word, or a form of it, in groups of one meaning each, the largest first.

        Of more than 120 passages those are read that are spread evenly over all. `wordnet` is a folder with WordNet's files; by
        default Debian's (package wordnet-base) where the collection is English; without it groups have no definition. Raises
        UsageError for more than one word, CollectionNotFoundError, UnavailableError for a folder without WordNet.
        """
        from vecsearch.search import sense_groups

        check_query(word)

        def prepare(info: CollectionInfo) -> tuple[SoughtWord, Sequence[Sense], TokenEncoder]:
            sought = _parse_word(word, info.stemmer)
            senses = _find_senses(sought, wordnet, info.stemmer)
            return sought, senses, question_models.require_tokens(self._bind_encoder(info)(), question_models.WORD_WISH)

        def answer(snapshot: Snapshot, prepared: tuple[SoughtWord, Sequence[Sense], TokenEncoder]) -> WordSenses:
            sought, senses, encoder = prepared
            used = sense_groups.group_uses(snapshot, sought, encoder)
            groups = [
                SenseGroup(len(members), sense_groups.load_typical_hits(snapshot, used, members)) for members in used.members
            ]
            if senses:
                typical = [used.ids[list(members[:_DEFINED_BY])] for members in used.members]
                texts = [[chunk.text for chunk in snapshot.load_chunk_texts(ids.tolist())] for ids in typical]
                groups = sense_groups.define_groups(groups, texts, sought, senses, encoder)
            reason = f"no passage has the word {shorten_repr(sought.written)}" if not groups else None
            if groups and not senses:
                reason = _explain_undefined(sought.written, wordnet, snapshot.info.stemmer)
            return WordSenses(groups, word=sought.written, passages=used.passages, read=len(used.ids), reason=reason)

        return self._ask(prepare, answer, kind="senses")

    def same_sense(self, word: str, a: str, b: str, *, wordnet: AnyPath | None = None) -> SameSense:
        """Return whether a word, or a form of it, means the same in two texts, by the collection's model.

        `wordnet` is that of `senses`; with its definitions the answer is right oftener. Raises UsageError where a text lacks the
        word, UnavailableError for a folder without WordNet, or a model that shows no token vectors.
        """
        from vecsearch.search.sense_choice import compare_meanings

        texts = (check_query(a), check_query(b))
        info = self._read_info()
        stemmer = STEMMER_DEFAULT if info is None else info.stemmer
        sought = _parse_word(check_query(word), stemmer)
        for text in texts:
            sought.find_in_question(text)
        senses = _find_senses(sought, wordnet, stemmer)
        encoder = question_models.require_tokens(self._load_encoder(), question_models.WORD_WISH)
        return compare_meanings(encoder, sought, senses, texts)


def _parse_word(word: str, stemmer: str) -> SoughtWord:
    from vecsearch.text.sought_word import SoughtWord

    return SoughtWord.parse(word, stemmer)


def _find_senses(word: SoughtWord, wordnet: AnyPath | None, stemmer: str) -> Sequence[Sense]:
    dictionary = question_models.find_dictionary(wordnet, stemmer)
    return () if dictionary is None else dictionary.find(word.written)


def _explain_undefined(word: str, wordnet: AnyPath | None, stemmer: str) -> str:
    """Return why WordNet has no meaning of a word."""
    if question_models.find_dictionary(wordnet, stemmer) is not None:
        return f"no definitions: WordNet does not have {word!r}"
    if stemmer not in question_models.ENGLISH:
        return f"no definitions: WordNet is English, this collection is not (stemmer {stemmer}); --wordnet DIR for another"
    from vecsearch.text.wordnet import INSTALL_HINT

    return f"no definitions: there is no WordNet here; {INSTALL_HINT}"
