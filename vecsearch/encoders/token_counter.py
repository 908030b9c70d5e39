"""How many tokens a text has: counted word by word where a tokenizer takes each alone, since texts consist of the same words.

BERT's tokenizer (Devlin et al., NAACL 2019) parts a text at white space before anything else, so the tokens of a text are those
of its words, one after the other.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

_WORDS_KEPT: Final = 60_000  # and as many from before: words that are met again stay
_WORD_LENGTH_MAX: Final = 60  # characters of a word that is kept
_DROPPED_SPACE: Final = re.compile("[\x0b\x0c\x1c-\x1f\x85]")  # parts words for Python; the tokenizer drops it as a control


class TokenCounter:
    """Counts the tokens of texts, special ones left out, as the tokenizer itself does. Safe to share between threads."""

    def __init__(self, tokenizer: Any) -> None:
        """Count for one of the `tokenizers` library that cuts nothing."""
        self._tokenizer = tokenizer
        self._takes_words_alone = _is_parted_at_white_space(tokenizer)
        self._counts: dict[str, int] = {}
        self._older: dict[str, int] = {}  # what was kept before there were too many

    def count(self, text: str) -> int:
        """Return how many tokens a text has."""
        if not self._takes_words_alone or _DROPPED_SPACE.search(text):
            return self._count_whole(text)
        words, known = text.split(), self._counts
        try:
            return sum(map(known.__getitem__, words))
        except KeyError:
            learned = self._learn([word for word in dict.fromkeys(words) if word not in known])
            return sum(learned[word] if word in learned else known[word] for word in words)

    def _count_whole(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

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
        """Tokenize words, all in one text: each by itself takes ten times as long."""
        if not words:
            return {}
        # unlike `encode`, `encode_batch` lets other threads run
        (encoding,) = self._tokenizer.encode_batch([" ".join(words)], add_special_tokens=False)
        ends = list(accumulate(len(word) + 1 for word in words))
        counts = Counter(bisect(ends, start) for start, _ in encoding.offsets)
        return {word: counts[place] for place, word in enumerate(words)}


def _is_parted_at_white_space(tokenizer: Any) -> bool:
    """Return whether the tokens of a text are those of what lies between its white space, one after the other."""
    parts = [type(part).__name__ for part in (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.model)]
    if parts != ["BertNormalizer", "BertPreTokenizer", "WordPiece"] or not tokenizer.normalizer.clean_text:
        return False
    added = tokenizer.get_added_tokens_decoder().values()
    return not any(token.single_word or token.content.split() != [token.content] for token in added)
