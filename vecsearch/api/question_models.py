"""What of a question needs a model beside its vector: rerankers, and the word that it is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vecsearch.core.checks import check_query
from vecsearch.core.errors import UnavailableError, UsageError
from vecsearch.core.types import Mode
from vecsearch.encoders.base import TextEncoder, TokenEncoder
from vecsearch.text.analyzer import STEMMER_DEFAULT, UNSTEMMED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vecsearch.core.types import AnyPath
    from vecsearch.search.rerank import Reranker
    from vecsearch.search.word_sense import WordInQuestion
    from vecsearch.stores.base import Snapshot, Vector
    from vecsearch.text.wordnet import WordNet

WORD_WISH: Final = "to tell what a word means"
ENGLISH: Final = (STEMMER_DEFAULT, UNSTEMMED)  # the stemmers of what WordNet may define


def load_reranker(rerank: bool | str, get_encoder: Callable[[], TextEncoder]) -> Reranker | None:
    """Return what reranks: True with the collection's model, a name with that cross-encoder. Raises UnavailableError."""
    if not rerank:
        return None
    from vecsearch.encoders.registry import load_cross_encoder
    from vecsearch.search.rerank import CrossEncoderReranker, MaxSimReranker

    if isinstance(rerank, str):
        return CrossEncoderReranker(load_cross_encoder(rerank))
    return MaxSimReranker(require_tokens(get_encoder(), "to rerank with; name a cross-encoder"))


def require_tokens(encoder: TextEncoder, wish: str) -> TokenEncoder:
    """Return an encoder that shows token vectors. Raises UnavailableError for another; the wish says what they are for."""
    if not isinstance(encoder, TokenEncoder):
        raise UnavailableError(f"the model {encoder.name} shows no token vectors {wish}")
    return encoder


def embed_meant_word(word: str, about: str, wordnet: AnyPath | None, *, stemmer: str, encoder: TextEncoder) -> Vector:
    """Return the vector of a word as a sentence or a definition has it. Raises UsageError, UnavailableError."""
    from vecsearch.search import meant_word
    from vecsearch.text.sought_word import SoughtWord

    sought, dictionary = SoughtWord.parse(word, stemmer), find_dictionary(wordnet, stemmer)
    senses = [] if dictionary is None else dictionary.find(sought.written)
    return meant_word.embed_meant_word(sought, check_query(about), senses, require_tokens(encoder, WORD_WISH))


def find_entries(snapshot: Snapshot, word: str) -> NDArray[np.int64]:
    """Return the chunks that are a word and nothing else."""
    from vecsearch.search import meant_word
    from vecsearch.text.sought_word import SoughtWord

    return meant_word.find_entries(snapshot, SoughtWord.parse(word, snapshot.info.stemmer))


def find_dictionary(folder: AnyPath | None, stemmer: str) -> WordNet | None:
    """Return the WordNet in a folder, else the system's, which is for English alone. None where there is none.

    Raises UnavailableError.
    """
    from vecsearch.text.wordnet import WordNet, find_wordnet

    if folder is not None:
        return WordNet(Path(folder).expanduser())
    return find_wordnet() if stemmer in ENGLISH else None


def check_about(about: str | None, *, has_text: bool, mode: Mode, rerank: bool | str) -> None:
    """Raise UsageError where a word cannot be asked about, InputError where it is no text."""
    if about is None:
        return
    check_query(about)
    if not has_text:
        raise UsageError("about is a word of the question: give the question as a text, not as a vector alone")
    if mode is Mode.LEXICAL:
        raise UsageError("about compares what a word means, which lexical mode does not: leave about or the mode out")
    if rerank:
        raise UsageError("about and rerank each put the best passages into an order of their own: leave one of them out")


def read_words_in_questions(
    about: str | None, questions: Sequence[str] | None, *, stemmer: str, get_encoder: Callable[[], TextEncoder]
) -> Sequence[WordInQuestion | None]:
    """Return the word that questions are about as each of them means it; None for each where there is none.

    Raises UsageError where a question does not have it, UnavailableError.
    """
    if about is None or questions is None:
        return [None] * len(questions or ())
    from vecsearch.search.word_sense import WordInQuestion
    from vecsearch.text.sought_word import SoughtWord

    word = SoughtWord.parse(about, stemmer)
    for question in questions:
        word.find_in_question(question)
    encoder = require_tokens(get_encoder(), "to tell what a word means; leave about out")
    return [WordInQuestion.read(word, question, encoder) for question in questions]
