"""How many tokens a text has and where they begin: word by word where a tokenizer takes each alone, as texts repeat their words.

BERT's tokenizer (Devlin et al., NAACL 2019) parts a text at white space and at punctuation before anything else, and each mark
is a token. So the tokens of a text are its marks and those of the words between them, one after the other.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_WORDS_KEPT: Final = 60_000  # and as many from before: words that are met again stay
_WORD_LENGTH_MAX: Final = 60  # characters of a word that is kept
_DROPPED_SPACES: Final = "\x0b\x0c\x1c\x1d\x1e\x1f\x85"  # part words for Python; the tokenizer drops them as controls
_MARKS: Final = string.punctuation.encode()  # those of Unicode stay in their words
_MARKS_AS_SPACES: Final = bytes.maketrans(_MARKS, b" " * len(_MARKS))
_DECOMPOSED_MAX: Final = 4  # characters that one is decomposed into
_SPACE, _MARK, _LETTER = range(3)


class TokenCounter:
    """Counts the tokens of texts, special ones left out, as the tokenizer itself does. Safe to share between threads."""

    def __init__(self, tokenizer: Any) -> None:
        """Count for one of the `tokenizers` library that cuts nothing."""
        self._tokenizer = tokenizer
        self._takes_words_alone = _is_parted_at_words(tokenizer)
        added = tokenizer.get_added_tokens_decoder().values()
        self._whole: Final = (*_DROPPED_SPACES, *(token.content for token in added))  # where words do not tell
        self._counts: dict[str, int] = {}
        self._older: dict[str, int] = {}  # what was kept before there were too many

    def count(self, text: str) -> int:
        """Return how many tokens a text has."""
        if not self._is_counted_by_words(text):
            return len(self._tokenizer.encode(text, add_special_tokens=False))
        words, marks = _split_marks(text)
        return sum(self._count_each(words)) + marks

    def has_at_most(self, text: str, most: int) -> bool:
        """Return whether a text has at most so many tokens. A rare word is tokenized only where its length does not tell."""
        if not self._is_counted_by_words(text):
            return self.count(text) <= most
        words, marks = _split_marks(text)
        counts = map(self._counts.get, words)
        bound = sum(_find_bound(word) if count is None else count for word, count in zip(words, counts, strict=True))
        return bound + marks <= most or sum(self._count_each(words)) + marks <= most

    def find_starts(self, text: str) -> NDArray[np.int64] | None:
        """Return for each token of a text, in order, where it begins, or where its word does; None where words do not tell."""
        if not self._is_counted_by_words(text):
            return None
        kinds = _find_kinds(text)
        begins = kinds == _MARK
        letters = kinds == _LETTER
        begins[:1] |= letters[:1]
        begins[1:] |= letters[1:] & ~letters[:-1]
        places = np.flatnonzero(begins)
        sizes = np.ones(len(places), np.int64)
        sizes[letters[places]] = self._count_each(_split_words(text.encode()))
        return np.repeat(places, sizes)

    def _is_counted_by_words(self, text: str) -> bool:
        return self._takes_words_alone and not any(what in text for what in self._whole)  # quicker than a pattern

    def _count_each(self, words: Sequence[str]) -> list[int]:
        known = self._counts
        unknown = set(words).difference(known)
        if not unknown:
            return list(map(known.__getitem__, words))
        learned = self._learn(sorted(unknown))
        return [learned[word] if word in learned else known[word] for word in words]

    def _learn(self, words: Sequence[str]) -> dict[str, int]:
        """Return the counts of words that are not among the newest; keep them there."""
        older = self._older
        learned = {word: older[word] for word in words if word in older}
        learned |= self._count_words([word for word in words if word not in older])
        kept = {word: count for word, count in learned.items() if len(word) <= _WORD_LENGTH_MAX}
        if len(self._counts) + len(kept) > _WORDS_KEPT:
            self._older, self._counts = self._counts, {}  # others: a thread may be counting with these
        self._counts.update(kept)
        return learned

    def _count_words(self, words: Sequence[str]) -> dict[str, int]:
        """Tokenize words, all together: each by itself takes ten times as long."""
        if not words:
            return {}
        counts = Counter(self._tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False).word_ids)
        return {word: counts[place] for place, word in enumerate(words)}


def _split_marks(text: str) -> tuple[list[str], int]:
    """Return the words between white space and marks, and how many marks there are."""
    data = text.encode()
    return _split_words(data), len(data) - len(data.translate(None, _MARKS))


def _split_words(data: bytes) -> list[str]:
    """Return what lies between white space and marks of a text in UTF-8, in which no other character has their bytes."""
    return data.translate(_MARKS_AS_SPACES).decode().split()


def _find_bound(word: str) -> int:
    """Return how many tokens a word has at most: one a character, of which one may become several (UAX #15)."""
    return len(word) * (1 if word.isascii() else _DECOMPOSED_MAX)


def _find_kinds(text: str) -> NDArray[np.uint8]:
    kinds = _make_kinds()
    if text.isascii():
        return kinds[np.frombuffer(text.encode(), np.uint8)]
    return kinds[np.minimum(np.frombuffer(text.encode("utf-32-le"), np.uint32), len(kinds) - 1)]


@cache
def _make_kinds() -> NDArray[np.uint8]:
    """Return the kind of each character, by its code; above those of this table there are letters alone."""
    characters = map(chr, range(0x3002))
    return np.array([_SPACE if c.isspace() else _MARK if c in string.punctuation else _LETTER for c in characters], np.uint8)


def _is_parted_at_words(tokenizer: Any) -> bool:
    """Return whether the tokens of a text are its marks and those of what lies between white space and marks."""
    parts = [type(part).__name__ for part in (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.model)]
    if parts != ["BertNormalizer", "BertPreTokenizer", "WordPiece"] or not tokenizer.normalizer.clean_text:
        return False
    added = tokenizer.get_added_tokens_decoder().values()
    return not any(token.single_word or token.normalized or token.content.split() != [token.content] for token in added)
