"""The bundled model as a source of ONNX graphs, from its files alone: neither torch nor sentence-transformers takes part.

It is held against vectors that sentence-transformers made of the same weights, whose sha256 is known; they are stored beside
this module (`python -m tests.encoders.make_reference_vectors`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.core.nesting import load_json
from vecsearch.encoders.base import Matrix
from vecsearch.encoders.bert_graph import build_graph
from vecsearch.encoders.model_config import ModelConfig, Pooling
from vecsearch.encoders.model_files import BUNDLED_MODEL
from vecsearch.encoders.reference_texts import REFERENCE_TEXTS
from vecsearch.encoders.unit_vectors import normalize_vectors

REFERENCE_VECTORS_FILE: Final = Path(__file__).with_name("reference_vectors.f2")  # a row a text, little-endian 16 bits
_MIDDLE_LAYER: Final = 4  # of 6: there a word tells best which of its meanings it has (`python -m benchmarks.word_senses`)
_SPECIAL_TOKENS: Final = 2  # [CLS] in front, [SEP] behind


class BundledModelSource:
    """The model in the folder of the package that brings it: an `onnx_export.ExportSource`."""

    name, version = BUNDLED_MODEL, 3  # 1 was traced by torch, 2 showed no middle layer

    def __init__(self, folder: Path) -> None:
        """Read the model in a folder; nothing is read yet."""
        self._folder = folder

    def build_model_config(self) -> ModelConfig:
        """Return what the runtime needs to know. Raises OSError, ValueError, KeyError for other files than the package's."""
        window = int(self._load("sentence_bert_config.json")["max_seq_length"])
        return ModelConfig(
            dimension=int(self._load("config.json")["hidden_size"]), window=window, max_tokens=window - _SPECIAL_TOKENS,
            pooling=Pooling.MEAN, document_prompt="", query_prompt="",
        )  # fmt: skip

    def get_tokenizer_json(self) -> str:
        """Return the tokenizer as a file's text."""
        return (self._folder / "tokenizer.json").read_text(encoding="utf-8")

    def compute_reference_vectors(self) -> Matrix:
        """Return the stored vectors of the reference texts, put back to length 1, which rounding to 16 bits changes."""
        return normalize_vectors(np.fromfile(REFERENCE_VECTORS_FILE, "<f2").astype(np.float32).reshape(len(REFERENCE_TEXTS), -1))

    def write_graph(self, path: Path) -> None:
        """Write the graph in 32 bits, its layers fused."""
        import onnx

        onnx.save(build_graph(self._folder, layer_outputs=[_MIDDLE_LAYER]), str(path))

    def _load(self, name: str) -> dict[str, Any]:
        config: dict[str, Any] = load_json((self._folder / name).read_text(encoding="utf-8"))
        return config
