"""A BERT's forward pass in NumPy, from its weights alone: every layer and every attention map, without torch.

The model is that of Devlin et al., NAACL 2019. One text goes in, without padding, so there is nothing to mask. The graph that
encodes documents cannot show this: its layers are fused and in 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.nesting import load_json
from vecsearch.encoders.bert_graph import Weights, read_weights
from vecsearch.encoders.layers import LayerOutputs, Tensor

_PREFIXES: Final = ("", "bert.")  # of the names of weights: a model saved alone, or with a head
_ERF_SCALE: Final = 0.3275911
_ERF_COEFFICIENTS: Final = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0.0)  # highest power first


class BertForward:
    """The layers of one BERT. Its weights are mapped from the file; what a text does not need is not read."""

    def __init__(self, folder: Path) -> None:
        """Read the configuration and find the weights. Raises OSError, ValueError, KeyError for what is no such BERT."""
        config = load_json((folder / "config.json").read_text(encoding="utf-8"))
        positions = config.get("position_embedding_type", "absolute")
        if (kind := (config["model_type"], positions)) != ("bert", "absolute") or config.get("is_decoder"):
            raise ValueError(f"a BERT encoder with absolute positions was expected, got {', '.join(map(str, kind))}")
        if config["hidden_act"] not in _ACTIVATIONS:
            raise ValueError(f"the activation {config['hidden_act']!r} is none of {', '.join(_ACTIVATIONS)}")
        self._activate = _ACTIVATIONS[config["hidden_act"]]
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self._depth, self._heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        self._weights = _strip_prefix(read_weights(folder / "model.safetensors"))
        self._check_weights()

    def run(self, ids: NDArray[np.int64]) -> LayerOutputs:
        """Return the rows and the attention of each layer for a text's token ids, shape (tokens,)."""
        rows = self._embed(ids)
        layers, attentions = [rows], []
        for layer in range(self._depth):
            rows, attention = self._run_layer(rows, f"encoder.layer.{layer}")
            layers.append(rows)
            attentions.append(attention)
        return LayerOutputs(np.stack(layers), np.stack(attentions))

    def _embed(self, ids: NDArray[np.int64]) -> Tensor:
        words, positions, kinds = (self._weights[f"embeddings.{name}_embeddings.weight"] for name in _EMBEDDINGS)
        return self._normalize(words[ids] + kinds[0] + positions[: len(ids)], "embeddings.LayerNorm")

    def _run_layer(self, rows: Tensor, at: str) -> tuple[Tensor, Tensor]:
        context, attention = self._compute_attention(rows, f"{at}.attention.self")
        rows = self._normalize(
            self._transform(context, f"{at}.attention.output.dense") + rows, f"{at}.attention.output.LayerNorm"
        )
        inner = self._activate(self._transform(rows, f"{at}.intermediate.dense"))
        return self._normalize(self._transform(inner, f"{at}.output.dense") + rows, f"{at}.output.LayerNorm"), attention

    def _compute_attention(self, rows: Tensor, at: str) -> tuple[Tensor, Tensor]:
        """Return what the heads gather, (tokens, dimension), and how they look, (heads, tokens, tokens)."""
        query, key, value = (self._split_heads(self._transform(rows, f"{at}.{part}")) for part in ("query", "key", "value"))
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(query.shape[-1]))
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ value).transpose(1, 0, 2).reshape(len(rows), -1), weights

    def _split_heads(self, rows: Tensor) -> Tensor:
        return rows.reshape(len(rows), self._heads, -1).transpose(1, 0, 2)

    def _transform(self, rows: Tensor, at: str) -> Tensor:
        product: Tensor = rows @ self._weights[f"{at}.weight"].T + self._weights[f"{at}.bias"]
        return product

    def _normalize(self, rows: Tensor, at: str) -> Tensor:
        centered = rows - rows.mean(axis=-1, keepdims=True)
        variance = np.square(centered).mean(axis=-1, keepdims=True)
        unit: Tensor = centered / np.sqrt(variance + np.float32(self._epsilon))
        return unit * self._weights[f"{at}.weight"] + self._weights[f"{at}.bias"]

    def _check_weights(self) -> None:
        """Raise KeyError for a weight that is missing, or is not stored as float32."""
        for name in _EMBEDDINGS:
            _ = self._weights[f"embeddings.{name}_embeddings.weight"]
        parts = [f"encoder.layer.{layer}.{part}" for layer in range(self._depth) for part in _LAYER_PARTS]
        for part in ("embeddings.LayerNorm", *parts):
            _ = self._weights[f"{part}.weight"], self._weights[f"{part}.bias"]


_EMBEDDINGS: Final = ("word", "position", "token_type")
_LAYER_PARTS: Final = (
    "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm",
    "intermediate.dense", "output.dense", "output.LayerNorm",
)  # fmt: skip


def _strip_prefix(weights: Weights) -> Weights:
    prefix = next((prefix for prefix in _PREFIXES if f"{prefix}embeddings.word_embeddings.weight" in weights), "")
    return {name.removeprefix(prefix): values for name, values in weights.items()}


def compute_erf(values: Tensor) -> Tensor:
    """Return the error function to within 2e-7 (Abramowitz and Stegun, 7.1.26): NumPy has none, and SciPy is slow to load."""
    size = np.abs(values.astype(np.float64))
    tail = np.polyval(_ERF_COEFFICIENTS, 1 / (1 + _ERF_SCALE * size)) * np.exp(-size * size)
    erf: Tensor = np.copysign(1 - tail, values).astype(np.float32)
    return erf


def _apply_gelu(x: Tensor) -> Tensor:
    return _scale_by_gate(x, compute_erf(x * np.float32(0.7071067811865476)))


def _apply_tanh_gelu(x: Tensor) -> Tensor:
    return _scale_by_gate(x, np.tanh(np.float32(0.7978845608028654) * (x + np.float32(0.044715) * x * x * x)))


def _apply_relu(x: Tensor) -> Tensor:
    return np.maximum(x, np.float32(0))


def _apply_silu(x: Tensor) -> Tensor:
    return _scale_by_gate(x, np.tanh(x * np.float32(0.5)))


def _scale_by_gate(x: Tensor, gate: Tensor) -> Tensor:
    """Return x · (1 + gate) / 2, for a gate in [-1, 1]."""
    gated: Tensor = x * (np.float32(1) + gate) * np.float32(0.5)
    return gated


_ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "gelu": _apply_gelu, "gelu_new": _apply_tanh_gelu, "gelu_pytorch_tanh": _apply_tanh_gelu, "relu": _apply_relu,
    "silu": _apply_silu, "swish": _apply_silu,
}  # fmt: skip
