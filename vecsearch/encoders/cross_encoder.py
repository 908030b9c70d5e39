"""A cross-encoder by its name: the CrossEncoder of sentence-transformers behind our protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import UnavailableError
from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.settings import ENCODER_BATCH_SIZE
from vecsearch.encoders import model_files, model_safety
from vecsearch.encoders.sentence_transformers import quiet_loading


class SentenceTransformersCrossEncoder:
    """A hub name or a local folder. Making one checks that the files are there; the model loads when first needed."""

    def __init__(self, name: str) -> None:
        """Find the model's files, by a hub name or a local folder. Raises UnavailableError."""
        self.name = model_files.normalize_model_name(name)
        self._folder = model_files.find_model_folder(self.name)

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float64]:
        """Return the model's own score of each pair of the question and a passage."""
        pairs = [(question, passage) for passage in passages]
        rows = np.asarray(self._model.predict(pairs, batch_size=ENCODER_BATCH_SIZE, show_progress_bar=False), np.float64)
        if rows.shape != (len(pairs),):
            raise UnavailableError(
                f"{self.name} gives {rows.shape[-1]} numbers a pair, a reranker gives one: choose a cross-encoder for ranking"
            )
        return rows

    @lazy_property
    def _model(self) -> Any:
        model_safety.check_model(self._folder, self.name)
        model_files.require_sentence_transformers(self.name)
        try:
            from sentence_transformers import CrossEncoder

            with quiet_loading():
                return CrossEncoder(str(self._folder), device="cpu", **model_safety.SAFE_LOAD_OPTIONS)
        except Exception as error:  # a folder can be wrong in as many ways as there are libraries below
            raise model_safety.build_load_error(self._folder, self.name, error) from error
