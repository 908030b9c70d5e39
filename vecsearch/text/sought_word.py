"""One word, in any of its forms: what to look up for it in the index of words, and where it stands in a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

import regex

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import UsageError
from vecsearch.core.types import Span, format_names
from vecsearch.text.analyzer import Analyzer, Token, get_analyzer
from vecsearch.text.irregular_forms import IRREGULAR_FORMS
from vecsearch.text.normalization import fold
from vecsearch.text.query_parser import LexicalQuery, parse_query

_UNICODE_FORMS: Final = ("NFC", "NFD", "NFKC", "NFKD")
_PIECE = regex.compile(r"[\p{L}\p{M}\p{N}]+")  # of a token: what signs join


@dataclass(frozen=True, slots=True)
class SoughtWord:
    """A word as a language's stemmer has it: `model` stands in "models" and "modelled" too, `go` in "went". `clauses` find it in
    the index, `form_clauses` as it is `written`; `stems` are those of its forms."""

    written: str
    clauses: LexicalQuery
    form_clauses: LexicalQuery
    token: Token
    analyzer: Analyzer
    stems: frozenset[str]

    @classmethod
    def parse(cls, word: str, stemmer: str) -> SoughtWord:
        """Return the word that a text is. Raises UsageError for none, and for more than one."""
        analyzer = get_analyzer(stemmer)
        tokens = list(analyzer.tokenize(word))
        if len(tokens) != 1 or (len(tokens[0].terms) > 1 and not tokens[0].unspaced):
            raise UsageError(f"a single word was expected, such as 'model', got {shorten_repr(word)}")
        written = word[tokens[0].start : tokens[0].end]
        forms = (written, *IRREGULAR_FORMS.get(stemmer, {}).get(written.lower(), ()))
        clauses = [clause for form in forms for clause in parse_query(form, analyzer)]
        stems = frozenset(term for form in forms for term in analyzer.analyze(form).terms)
        return cls(written, clauses, parse_query(f'"{written}"', analyzer), tokens[0], analyzer, stems)

    def find(self, text: str) -> list[Span]:
        """Return where a form of the word stands in a text, in order."""
        if self.token.unspaced:
            forms = dict.fromkeys((self.written, *(normalize(form, self.written) for form in _UNICODE_FORMS)))
            return [Span(*match.span()) for match in regex.finditer("|".join(map(regex.escape, forms)), text)]
        return [span for token in self.analyzer.tokenize(text) for span in self._find_within(token, text)]

    def is_all_of(self, text: str) -> bool:
        """Return whether a text is a form of the word, and nothing else."""
        start, end = len(text) - len(text.lstrip()), len(text.rstrip())
        return self.find(text) == [Span(start, end)]

    def is_written_in(self, form: str) -> bool:
        """Return whether a form is the word as it was asked for, but for case and accents."""
        return fold(form) == fold(self.written)

    def find_in_question(self, question: str) -> list[Span]:
        """Return where it stands in a question that must have it. Raises UsageError that names the question's words."""
        if spans := self.find(question):
            return spans
        words = list(dict.fromkeys(question[token.start : token.end] for token in self.analyzer.tokenize(question)))
        raise UsageError(
            f"{self.written!r} is no word of the question, nor a form of one; it must be what you ask about: "
            f"{format_names(words, limit=20) or 'it has no words'}"
        )

    def _find_within(self, token: Token, text: str) -> Iterator[Span]:
        if not self._is_in(token):
            return
        if len(token.terms) > 1:
            pieces = [Span(token.start + match.start(), token.start + match.end()) for match in
                      _PIECE.finditer(text[token.start : token.end])]  # fmt: skip
            found = [part for part in pieces if self.stems.intersection(self.analyzer.analyze(text[part.start : part.end]).terms)]
            yield from found or [Span(token.start, token.end)]
        else:
            yield Span(token.start, token.end)

    def _is_in(self, token: Token) -> bool:
        if self.token.compound_form is not None:  # C++ is not C
            return token.compound_form == self.token.compound_form
        return not self.stems.isdisjoint(token.terms)
