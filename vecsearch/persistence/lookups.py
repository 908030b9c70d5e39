"""Query text → what to look up in the tables of words. No text is an error: what is no word is left out."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import zip_longest
from typing import Final

import regex

from vecsearch.core.settings import COMPOUND_WEIGHT
from vecsearch.persistence.analysis import Analyzer, Token, fold

# Words that say nothing about a subject. In a collection of four documents even "that" looks rare, so rarity alone cannot tell.
# Shorter than the usual lists, whose longer ones take words with a meaning (measured: nDCG@10 of short texts falls by 0.03).
_ENGLISH: Final = frozenset(
    """
    a about an and any are as at be been but by can could did do does for from had has have he her his how i if in into is
    it its me my no not of on or our she should so some such than that the their them then there these they this those to us
    was we were what when where which who whom whose why will with would you your
    """.split()
)
_PIECE: Final = regex.compile(
    r'"(?P<phrase>[^"]+)"|(?P<prefix>[\p{L}\p{M}\p{N}]{2,}(?:[._:/@+#&~\-]+[\p{L}\p{M}\p{N}]+)*)\*|(?P<rest>[^"\s]+)'
)


class Kind(StrEnum):
    """What is looked up: a stem, stems that follow each other, a word as it is written, the beginning of such a word."""

    WORD = "word"
    PHRASE = "phrase"
    FORM = "form"
    PREFIX = "prefix"

    @property
    def ranked(self) -> bool:
        """Whether it stands in the table that knows how often and where."""
        return self in (Kind.WORD, Kind.PHRASE)


@dataclass(frozen=True, slots=True)
class Lookup:
    """One thing to look up. `named`: it is part of an identifier, a version or another word that signs join."""

    kind: Kind
    text: str  # terms, a blank between them; without quotes
    weight: float = 1.0
    named: bool = False

    @property
    def expression(self) -> str:
        """In FTS5's syntax."""
        return f'"{self.text}"*' if self.kind is Kind.PREFIX else f'"{self.text}"'


def lookups(query: str, analyzer: Analyzer) -> list[Lookup]:
    """What to look up, each once.

    `"several words"` must follow each other, `"one"` is meant as it is written, `begin*` is the beginning of a word; what signs
    join is looked up word by word and, with less weight, as a phrase. Function words count only when there are no others.
    """
    found: list[Lookup] = []
    function: list[Lookup] = []
    for piece in _PIECE.finditer(unicodedata.normalize("NFC", query)):
        if piece["phrase"]:
            found += _quoted(list(analyzer.tokens(piece["phrase"])))
        elif piece["prefix"]:
            found.append(Lookup(Kind.PREFIX, fold(piece["prefix"])))
        else:
            for token in analyzer.tokens(piece["rest"]):
                for each, form in _token(token):
                    (function if form in function_words(analyzer.language) else found).append(each)
    unique: dict[tuple[Kind, str], Lookup] = {}
    for each in found or function:
        unique.setdefault((each.kind, each.text), each)
    return list(unique.values())


@cache
def function_words(language: str) -> frozenset[str]:
    """Words of a language that say nothing about a subject, without case and accents."""
    if language == "en":
        return _ENGLISH
    import stopwordsiso

    return frozenset(map(fold, stopwordsiso.stopwords(language))) if stopwordsiso.has_lang(language) else frozenset()


def _quoted(tokens: list[Token]) -> list[Lookup]:
    terms = [term for token in tokens for term in token.terms]
    if len(terms) == 1:
        return [Lookup(Kind.FORM, tokens[0].whole or tokens[0].forms[0])]
    return [Lookup(Kind.PHRASE, " ".join(terms))] if terms else []


def _token(token: Token) -> list[tuple[Lookup, str]]:
    """What to look up of a token, each with the form that it stands for."""
    if token.unspaced and len(token.terms) == 1:
        return [(Lookup(Kind.PREFIX, token.terms[0]), token.terms[0])]
    if token.unspaced:
        return [(Lookup(Kind.WORD, pair), pair) for pair in token.terms[:-1]]
    if token.whole and len(token.terms) == 1:  # C++: the letter alone is something else
        return [(Lookup(Kind.FORM, token.whole, named=True), token.whole)]
    words = [
        (Lookup(Kind.WORD, term, named=token.whole is not None), form)
        for term, form in zip_longest(token.terms, token.forms, fillvalue=token.whole or "")
    ]
    return [(Lookup(Kind.PHRASE, " ".join(token.terms), COMPOUND_WEIGHT), token.whole), *words] if token.whole else words
