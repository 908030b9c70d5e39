"""The analysis of documents that are about to be stored, begun beside whoever makes the next ones ready meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from operator import is_

from vecsearch.core.helper_process import Computation
from vecsearch.stores.base import NewDocument, Preparation
from vecsearch.stores.sqlite.fulltext.text_analysis import Segments
from vecsearch.stores.sqlite.write.chunk_rows import ChunkedText, begin_analysis
from vecsearch.stores.sqlite.write.text_rows import split_text


class TextPreparation:
    """An analysis that is under way, for some documents in their order. Given up when nothing refers to it any more."""

    def __init__(self, stemmer: str, documents: Sequence[NewDocument]) -> None:
        """Begin it."""
        self._stemmer, self._documents = stemmer, documents
        texts = [text for document in documents for text in split_text(0, document)]
        self._stack = ExitStack()
        self._analysis: Computation[Segments] = self._stack.enter_context(begin_analysis(stemmer, texts, ahead=True))

    @property
    def is_under_way(self) -> bool:
        """Return whether whoever stores the documents now would have to wait."""
        return self._analysis.is_under_way

    def take(self, stemmer: str, documents: Sequence[NewDocument]) -> AbstractContextManager[Computation[Segments]] | None:
        """Return the analysis; None, and it is given up, where it is not that of just these documents in this language."""
        is_same = len(documents) == len(self._documents) and all(map(is_, documents, self._documents))
        if is_same and stemmer == self._stemmer:
            return self._use()
        self._stack.close()
        return None

    @contextmanager
    def _use(self) -> Iterator[Computation[Segments]]:
        with self._stack:
            yield self._analysis


def begin_or_take_analysis(
    preparation: Preparation | None, stemmer: str, documents: Sequence[NewDocument], texts: Sequence[ChunkedText]
) -> AbstractContextManager[Computation[Segments]]:
    """Return the analysis of documents, whose texts these are: as it was prepared, or begun now."""
    prepared = preparation.take(stemmer, documents) if isinstance(preparation, TextPreparation) else None
    return prepared or begin_analysis(stemmer, texts)
