"""A prepared model on ONNX Runtime: what the default encoder runs on. Loads no torch.

Texts are encoded one at a time, several at once on as many cores: no padding is computed, and a text's vector cannot depend
on the texts beside it, which dynamic 8-bit arithmetic would otherwise make it do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.forks import check_usable
from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.parallel import count_cores, map_parallel
from vecsearch.core.tokenizer_window import TokenizerWindow, load_tokenizer
from vecsearch.encoders.base import Matrix, TokenRows
from vecsearch.encoders.model_config import ModelConfig, Pooling
from vecsearch.encoders.onnx_session import create_session

_T = TypeVar("_T")
MODEL_FILE: Final = "model.onnx"
MIDDLE_FILE: Final = "middle.onnx"  # the first layers of it, over the same weights; not every model has one
TOKENIZER_FILE: Final = "tokenizer.json"


class OnnxModel:
    """Token rows, and vectors pooled from them, of the model in a prepared folder. Safe to share between threads."""

    is_thread_safe: Final = True

    def __init__(self, folder: Path, config: ModelConfig) -> None:
        """Set up the model; nothing is loaded yet."""
        self._folder, self.config = folder, config
        self._wide_session: tuple[int, Any] | None = None  # with the process that made it

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return self.config.dimension

    @property
    def max_tokens(self) -> int:
        """Return the window without special tokens and the document prompt."""
        return self.config.max_tokens

    @property
    def pools_by_mean(self) -> bool:
        """Return whether a vector is the mean of its tokens' rows."""
        return self.config.pooling is Pooling.MEAN

    @lazy_property
    def token_window(self) -> TokenizerWindow:
        """Return its tokenizer and window, without the model."""
        return TokenizerWindow(self._folder / TOKENIZER_FILE, self.max_tokens)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the character range of every token of a text, not cut at the window, special tokens left out."""
        return self.token_window.token_spans(text)

    def count_tokens(self, text: str) -> int:
        """Return how many `token_spans` a text has."""
        return self.token_window.count_tokens(text)

    def token_starts(self, text: str) -> NDArray[np.int64] | None:
        """Return where each token of a text begins, or its word does; None where words do not tell."""
        return self.token_window.token_starts(text)

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        """Encode documents, with the document prompt, if the model has one."""
        return self._encode(self.config.document_prompt, texts)

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """Encode queries, with the query prompt, if the model has one."""
        return self._encode(self.config.query_prompt, texts)

    def encode_tokens(self, texts: Sequence[str], *, is_query: bool = False) -> list[TokenRows]:
        """Encode the tokens of texts, with the prompt of that side, whose tokens stand for no character of the text."""
        prompt = self.config.query_prompt if is_query else self.config.document_prompt
        return self._map_texts(texts, lambda text, session: self._encode_token_rows(prompt, text, session))

    def encode_middle_tokens(self, texts: Sequence[str]) -> list[TokenRows]:
        """Encode the tokens of texts as documents, up to a middle layer, where the model has that; else all the way."""
        session = self._middle_session
        if session is None:
            return self.encode_tokens(texts)
        check_usable()
        _ = self._tokenizer_at_window  # made once, before several threads ask for it
        return map_parallel(lambda text: self._encode_token_rows(self.config.document_prompt, text, session), texts)

    def get_token_ids(self, text: str) -> NDArray[np.int64]:
        """Return the graph's input for a text: shape (1, tokens)."""
        return np.array([self._tokenizer_at_window.encode(text).ids], np.int64)

    def _encode_token_rows(self, prompt: str, text: str, session: Any) -> TokenRows:
        encoding, rows = self._run_model(prompt + text, session)
        spans = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        special = np.array(encoding.special_tokens_mask, bool)
        spans[special] = 0
        return TokenRows(np.maximum(spans - np.where(special, 0, len(prompt))[:, np.newaxis], 0), rows)

    def _encode(self, prompt: str, texts: Sequence[str]) -> Matrix:
        rows = self._map_texts(texts, lambda text, session: self._pool_rows(self._run_model(prompt + text, session)[1]))
        return np.array(rows, np.float32).reshape(len(texts), self.dimension)

    def _map_texts(self, texts: Sequence[str], work: Callable[[str, Any], _T]) -> list[_T]:
        """Map `work` over the texts; results keep the order of the texts.

        One text has all cores for itself, several are done one at a time on each. The vectors are the same: what runs on several
        threads is split by rows and columns of a product, never within one of its sums.
        """
        check_usable()
        if len(texts) == 1:
            return [work(texts[0], self._get_wide_session())]
        session, _ = self._session, self._tokenizer_at_window  # made once, before several threads ask for them
        longest_first = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        done = map_parallel(lambda place: work(texts[place], session), longest_first)
        results = dict(zip(longest_first, done, strict=True))
        return [results[place] for place in range(len(texts))]

    def _pool_rows(self, rows: Matrix) -> NDArray[np.float32]:
        vector = rows.mean(axis=0) if self.pools_by_mean else rows[0]
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)

    def _run_model(self, text: str, session: Any) -> tuple[Any, Matrix]:
        """Return the tokens of a text, cut at the window, and a row for each."""
        # of several texts at once, unlike `encode`, lets other threads run; one alone is not to wait until they let it go on
        tokenizer, is_alone = self._tokenizer_at_window, self._wide_session is not None and session is self._wide_session[1]
        encoding = tokenizer.encode(text) if is_alone else tokenizer.encode_batch([text])[0]
        rows = session.run(None, {"input_ids": np.array([encoding.ids], np.int64)})[0][0]
        return encoding, rows

    @lazy_property
    def _session(self) -> Any:
        return create_session(str(self._folder / MODEL_FILE), optimized=True)

    @lazy_property
    def _middle_session(self) -> Any:
        path = self._folder / MIDDLE_FILE
        return create_session(str(path), optimized=True) if path.exists() else None

    def _get_wide_session(self) -> Any:
        """Return the session for one text at a time; a process that only asks questions has none but this.

        A forked child makes its own, as it has none of the threads of its parent's.
        """
        threads = count_cores()
        if threads == 1:
            return self._session
        if self._wide_session is None or self._wide_session[0] != os.getpid():
            session = create_session(str(self._folder / MODEL_FILE), optimized=True, threads=threads)
            self._wide_session = os.getpid(), session
        return self._wide_session[1]

    @lazy_property
    def _tokenizer_at_window(self) -> Any:
        tokenizer = load_tokenizer(self._folder / TOKENIZER_FILE)
        tokenizer.enable_truncation(self.config.window)
        return tokenizer
