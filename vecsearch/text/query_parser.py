"""Query text → what to look up in the tables of words. No text is an error: what is no word is left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import zip_longest
from typing import Final, TypeAlias

from vecsearch.core.settings import COMPOUND_WEIGHT, REPEATED_TERM_K3
from vecsearch.text.analyzer import Analyzer, Token
from vecsearch.text.normalization import fold, normalize

# Words that say nothing about a subject. In a collection of four documents even "that" looks rare, so rarity alone cannot tell.
# Shorter than the usual lists, whose longer ones take words with a meaning (measured: nDCG@10 of short texts falls by 0.03).
_ENGLISH_FUNCTION_WORDS: Final = frozenset(
    """
    a about an and any are as at be been but by can could did do does for from had has have he her his how i if in into is
    it its me my no not of on or our she should so some such than that the their them then there these they this those to us
    was we were what when where which who whom whose why will with would you your
    """.split()
)
_QUOTES: Final = re.compile("[“”„‟]")
_PIECE: Final = re.compile(  # the last: words up to the next quote or star
    r'"(?P<phrase>[^"]+)"|(?P<beginning>[^"\s*]+)\*+|(?P<rest>[^"\s*]++(?!\S)(?:\s+[^"\s*]++(?!\S))*|[^"\s]+)'
)
_JOINING_SIGNS: Final = re.compile(r"[._/@:&~\-]{1,2}")


class ClauseKind(StrEnum):
    """What is looked up.

    A stem; stems that follow each other; a word as it is written; the beginning of such a word; stems, if any, and after them
    the beginning of a word, or of a pair of characters of a script without spaces.
    """

    WORD = "word"
    PHRASE = "phrase"
    FORM = "form"
    PREFIX = "prefix"
    PHRASE_PREFIX = "phrase prefix"


@dataclass(frozen=True, slots=True)
class QueryClause:
    """One thing to look up. `named`: it is part of an identifier, a version or another word that signs join."""

    kind: ClauseKind
    text: str  # terms, a blank between them; without quotes
    weight: float = 1.0
    is_identifier: bool = False


LexicalQuery: TypeAlias = Sequence[QueryClause]  # what `parse_query` gives


def parse_query(query: str, analyzer: Analyzer) -> list[QueryClause]:
    """What to look up, each once, with more weight the more often it is said.

    `"several words"` must follow each other, `"one"` is meant as it is written, `begin*` is the beginning of a word, in quotes as
    well: of what the analysis cuts, as `https://exam*`, the last word may go on and those before it are whole. What signs join
    is looked up word by word and, with less weight, as a phrase. Function words count only when there are no others.
    """
    found: list[QueryClause] = []
    function: list[QueryClause] = []
    functions = load_function_words(analyzer.stemmer)
    for piece in _PIECE.finditer(_QUOTES.sub('"', normalize(query))):
        if piece["phrase"]:
            found += _parse_quoted(piece["phrase"], analyzer)
            continue
        written = piece["beginning"] or piece["rest"]
        tokens = list(analyzer.tokenize(written))
        if piece["beginning"] and (clauses := _parse_beginning(written, tokens)):
            found += clauses
            continue
        if piece["beginning"] and tokens and _JOINING_SIGNS.fullmatch(written, tokens[-1].end):
            found.append(QueryClause(ClauseKind.PREFIX, fold(written[tokens[-1].start :])))
        for token in tokens:
            for each, form in _parse_token(token):
                (function if form in functions else found).append(each)
    clauses = found or function
    counts = Counter((clause.kind, clause.text) for clause in clauses)
    unique = {(clause.kind, clause.text): clause for clause in reversed(clauses)}  # as it stands first
    return [replace(unique[key], weight=unique[key].weight * weigh_repetition(count)) for key, count in counts.items()]


def weigh_repetition(count: int) -> float:
    """Return the weight of a term that a query says so often: count × (k3 + 1) / (count + k3), in [1, k3 + 1).

    Robertson, Walker, Jones, Hancock-Beaulieu and Gatford, "Okapi at TREC-3", 1995. A question of a paragraph says again what it
    is about.
    """
    return count * (REPEATED_TERM_K3 + 1) / (count + REPEATED_TERM_K3)


@cache
def load_function_words(language: str) -> frozenset[str]:
    """Words of a language that say nothing about a subject, without case and accents."""
    if language == "en":
        return _ENGLISH_FUNCTION_WORDS
    import stopwordsiso

    return frozenset(map(fold, stopwordsiso.stopwords(language))) if stopwordsiso.has_lang(language) else frozenset()


def _parse_quoted(phrase: str, analyzer: Analyzer) -> list[QueryClause]:
    written = phrase.rstrip()
    tokens = list(analyzer.tokenize(written))
    if written.endswith("*") and (clauses := _parse_beginning(written.rstrip("*"), tokens)):
        return clauses
    if not tokens:
        return []
    last = tokens[-1]
    if last.unspaced:
        return _parse_unspaced_end(tokens)
    terms = [term for token in tokens for term in token.terms]
    if len(terms) == 1:
        return [QueryClause(ClauseKind.FORM, last.compound_form or last.forms[0])]
    return [QueryClause(ClauseKind.PHRASE, " ".join(terms))]


def _parse_beginning(written: str, tokens: Sequence[Token]) -> list[QueryClause]:
    """What the beginning of a word is looked up by; nothing where it does not end in a word, or in one letter alone."""
    if not tokens or tokens[-1].end != len(written):
        return []
    last = tokens[-1]
    if last.unspaced and last.compound_form and len(tokens) == 1:  # Korean: where a word begins is known
        return [QueryClause(ClauseKind.PREFIX, last.compound_form)]
    if last.unspaced:
        return _parse_unspaced_end(tokens)
    if last.compound_form and last.compound_form[-1] in "+#":  # C+: a form alone tells what it begins
        return [QueryClause(ClauseKind.PREFIX, last.compound_form)]
    words = [term for token in tokens[:-1] for term in token.terms] + list(last.terms[: len(last.forms) - 1])
    if words:
        return [QueryClause(ClauseKind.PHRASE_PREFIX, " ".join([*words, last.forms[-1]]))]
    return [QueryClause(ClauseKind.PREFIX, last.forms[0])] if len(last.forms[0]) > 1 else []


def _parse_unspaced_end(tokens: Sequence[Token]) -> list[QueryClause]:
    """What words are looked up by the last of which goes on, as any run of characters does that is not all of a text's."""
    *before, last = tokens
    terms = [term for token in before for term in token.terms] + list(last.terms[:-1] or last.terms)
    if len(last.terms) == 1:
        return [QueryClause(ClauseKind.PHRASE_PREFIX, " ".join(terms))]
    return [QueryClause(ClauseKind.WORD if len(terms) == 1 else ClauseKind.PHRASE, " ".join(terms))]


def _parse_token(token: Token) -> list[tuple[QueryClause, str]]:
    """What to look up of a token, each with the form that it stands for."""
    if token.unspaced and len(token.terms) == 1:
        return [(QueryClause(ClauseKind.PHRASE_PREFIX, token.terms[0]), token.terms[0])]
    if token.unspaced:
        return [(QueryClause(ClauseKind.WORD, pair), pair) for pair in token.terms[:-1]]
    if token.compound_form and len(token.terms) == 1:  # C++: the letter alone is something else
        return [(QueryClause(ClauseKind.FORM, token.compound_form, is_identifier=True), token.compound_form)]
    words = [
        (QueryClause(ClauseKind.WORD, term, is_identifier=token.compound_form is not None), form)
        for term, form in zip_longest(token.terms, token.forms, fillvalue=token.compound_form or "")
    ]
    return (
        [(QueryClause(ClauseKind.PHRASE, " ".join(token.terms), COMPOUND_WEIGHT), token.compound_form), *words]
        if token.compound_form
        else words
    )
