"""The layers of a sentence model that is a BERT, from the files in its folder alone: neither torch nor ONNX takes part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.nesting import load_json
from vecsearch.encoders.bert_forward import BertForward
from vecsearch.encoders.layers import LayerOutputs, Tensor, TokenizedText, build_tokenizer, pool_rows, tokenize_text
from vecsearch.encoders.model_config import Pooling

_DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # as sentence-transformers names them


class BertLayerModel:
    """A BERT with mean or first-token pooling: a `layers.LayerModel`."""

    def __init__(self, name: str, folder: Path) -> None:
        """Read the settings in a folder. Raises OSError, ValueError, KeyError for any other model."""
        self.name, self._folder = name, folder
        self._pooling = self._read_pooling()
        self._prompt, self._window = self._read_prompt(), self._read_window()
        self._forward = BertForward(folder)
        _ = self._tokenizer

    def get_pooling(self) -> Pooling:
        """Return how a text's vector comes from its last rows."""
        return self._pooling

    def tokenize(self, text: str) -> TokenizedText:
        """Return the tokens of a text."""
        return tokenize_text(self._tokenizer, self._prompt, text)

    def run(self, ids: NDArray[np.int64]) -> LayerOutputs:
        """Return what each layer makes of a text's token ids."""
        return self._forward.run(ids)

    def encode_text(self, text: str) -> Tensor:
        """Return the unit vector of a text."""
        return pool_rows(self.run(self.tokenize(text).ids).rows[-1], self._pooling)

    @lazy_property
    def _tokenizer(self) -> Any:
        return build_tokenizer((self._folder / "tokenizer.json").read_text(encoding="utf-8"), self._window)

    def _read_pooling(self) -> Pooling:
        """Return the pooling of a folder whose modules are a transformer, pooling and normalisation, and no more."""
        modules = [(str(module["type"]).rpartition(".")[2], module["path"]) for module in self._load("modules.json")]
        if [kind for kind, _ in modules] not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
            raise ValueError("its modules are more than a transformer, pooling and normalisation")
        if modules[0][1]:
            raise ValueError("its transformer lies in a folder of its own")
        config = self._load(f"{modules[1][1]}/config.json")
        if not config.get("include_prompt", True):
            raise ValueError("its pooling leaves the prompt out")
        legacy = [
            key.removeprefix("pooling_mode_") for key, on in config.items() if key.startswith("pooling_mode_") and on is True
        ]
        mode = config.get("pooling_mode", legacy)
        name = mode[0] if isinstance(mode, list) and len(mode) == 1 else mode
        match name:
            case "mean" | "mean_tokens":
                return Pooling.MEAN
            case "cls" | "cls_token":
                return Pooling.FIRST
            case _:
                raise ValueError(f"its pooling is {name!r}")

    def _read_window(self) -> int:
        settings, positions = self._load("sentence_bert_config.json"), int(self._load("config.json")["max_position_embeddings"])
        if settings.get("do_lower_case"):
            raise ValueError("its texts are made lower case before the tokenizer")
        window = settings.get("max_seq_length") or self._load("tokenizer_config.json")["model_max_length"]
        return min(int(window), positions)

    def _read_prompt(self) -> str:
        prompts = self._load("config_sentence_transformers.json").get("prompts") or {}
        return next((prompt for key in _DOCUMENT_PROMPTS if (prompt := prompts.get(key))), "")

    def _load(self, name: str) -> Any:
        return load_json((self._folder / name).read_text(encoding="utf-8"))
