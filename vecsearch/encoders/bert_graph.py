"""From a BERT's configuration and weights straight to the graph that ONNX Runtime is quickest with, without torch.

The model is that of Devlin et al., NAACL 2019, after its embeddings N times attention and a feed-forward network, each added to
what went in and normalised. The layers are written as ONNX Runtime's own fused operators, which its optimizer would otherwise
have to find in a trace. One text goes in, a row a token comes out: without padding there is nothing to mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.nesting import load_json

Weights = Mapping[str, NDArray[np.float32]]

OPSET: Final = 17
_MICROSOFT: Final = "com.microsoft"  # the domain of ONNX Runtime's operators
_IR_VERSION: Final = 8  # that of the opset
_HEADER_LENGTH_BYTES: Final = 8


def read_weights(file: Path) -> Weights:
    """Return the float32 tensors of a safetensors file by name, mapped and not copied. Raises OSError, ValueError.

    The format: the length of a header (8 bytes, little-endian), a header in JSON, the numbers of all tensors one after the other.
    """
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_HEADER_LENGTH_BYTES), "little")
        header = load_json(stream.read(length).decode())
    numbers = np.memmap(file, np.uint8, mode="r", offset=_HEADER_LENGTH_BYTES + length)
    return {
        name: numbers[slice(*tensor["data_offsets"])].view("<f4").reshape(tensor["shape"])
        for name, tensor in header.items()
        if tensor.get("dtype") == "F32"
    }


def build_graph(folder: Path, *, layer_outputs: Sequence[int] = ()) -> Any:
    """Return the ONNX model of the BERT in a folder: `input_ids` (1, tokens) → `rows` (1, tokens, dimension).

    For each layer asked for, counted from 1, its rows are an output `layer_N` as well. Raises OSError, ValueError, KeyError for
    files that are not those of a BERT.
    """
    config = load_json((folder / "config.json").read_text(encoding="utf-8"))
    if (kind := (config["model_type"], config["hidden_act"], config["position_embedding_type"])) != ("bert", "gelu", "absolute"):
        raise ValueError(f"a BERT with gelu and absolute positions was expected, got {', '.join(map(str, kind))}")
    if unknown := [layer for layer in layer_outputs if not 1 <= layer <= config["num_hidden_layers"]]:
        raise ValueError(f"layers go from 1 to {config['num_hidden_layers']}, got {unknown[0]}")
    return _GraphBuilder(config, read_weights(folder / "model.safetensors")).build(layer_outputs)


class _GraphBuilder:
    """Collects nodes and tensors; each method adds some and returns the name of what they give."""

    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        self._config, self._weights = config, weights
        self._nodes: list[Any] = []
        self._tensors: dict[str, Any] = {}

    def build(self, layer_outputs: Sequence[int]) -> Any:
        from onnx import TensorProto, helper

        rows, depth = self._add_embeddings(), int(self._config["num_hidden_layers"])
        for layer in range(1, depth + 1):
            rows = self._add_layer(rows, layer)
        self._nodes.append(helper.make_node("Identity", [rows], ["rows"], name="rows"))
        dimension = self._config["hidden_size"]
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["text", "token", dimension])
            for name in ("rows", *(f"layer_{layer}" for layer in layer_outputs))
        ]
        ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["text", "token"])
        graph = helper.make_graph(self._nodes, "bert", [ids], outputs, list(self._tensors.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)

    def _add_embeddings(self) -> str:
        names = ("word", "position", "token_type")
        words, positions, kinds = (self._weights[f"embeddings.{name}_embeddings.weight"] for name in names)
        from onnx import TensorProto

        ids = self._add_node("Cast", ["input_ids"], "ids", to=TensorProto.INT32)
        inputs = [
            ids, "", self._add_tensor("words", words), self._add_tensor("positions", positions + kinds[0]), "",
            *self._add_norm("embeddings.LayerNorm"),
        ]  # fmt: skip
        return self._add_node(
            "EmbedLayerNormalization", inputs, "layer_0", domain=_MICROSOFT, spare_outputs=1, epsilon=self._epsilon
        )

    def _add_layer(self, rows: str, layer: int) -> str:
        source, at = f"encoder.layer.{layer - 1}", f"layer_{layer}"
        attended = self._add_attention(rows, f"{source}.attention.self", f"{at}/attention")
        rows = self._add_sum(rows, attended, f"{source}.attention.output", f"{at}/attended")
        inner = self._add_product(rows, f"{source}.intermediate.dense", f"{at}/inner")
        bias = self._add_weight(f"{source}.intermediate.dense.bias")
        inner = self._add_node("BiasGelu", [inner, bias], f"{at}/gelu", domain=_MICROSOFT)
        return self._add_sum(rows, inner, f"{source}.output", at)

    def _add_attention(self, rows: str, source: str, at: str) -> str:
        parts = ("query", "key", "value")
        products = [self._add_product(rows, f"{source}.{part}", f"{at}/{part}") for part in parts]
        biases = np.concatenate([self._weights[f"{source}.{part}.bias"] for part in parts])
        inputs = [*products, self._add_tensor(f"{source}.bias", biases)]
        heads = self._config["num_attention_heads"]
        return self._add_node("MultiHeadAttention", inputs, f"{at}/heads", domain=_MICROSOFT, num_heads=heads)

    def _add_sum(self, rows: str, change: str, source: str, at: str) -> str:
        """Project a change, add it to the rows, and normalise."""
        change = self._add_product(change, f"{source}.dense", f"{at}/change")
        inputs = [change, rows, *self._add_norm(f"{source}.LayerNorm"), self._add_weight(f"{source}.dense.bias")]
        return self._add_node("SkipLayerNormalization", inputs, at, domain=_MICROSOFT, epsilon=self._epsilon)

    def _add_product(self, rows: str, source: str, at: str) -> str:
        weight = self._add_tensor(f"{source}.weight", self._weights[f"{source}.weight"].T)
        return self._add_node("MatMul", [rows, weight], at)

    def _add_norm(self, source: str) -> tuple[str, str]:
        return self._add_weight(f"{source}.weight"), self._add_weight(f"{source}.bias")

    def _add_weight(self, name: str) -> str:
        return self._add_tensor(name, self._weights[name])

    def _add_tensor(self, name: str, values: NDArray[np.float32]) -> str:
        from onnx import numpy_helper

        self._tensors[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def _add_node(self, kind: str, inputs: Sequence[str], name: str, *, spare_outputs: int = 0, **attributes: Any) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [name, *[""] * spare_outputs], name=name, **attributes))
        return name

    @property
    def _epsilon(self) -> float:
        return float(self._config["layer_norm_eps"])
