"""A graph in 32 bits → the same in 8: products of whole numbers, whose scale for a text's activations is found as it is encoded.

Some channels of a transformer's activations, and some tokens, are many times larger than the rest, and one scale for all would
leave the rest few steps. So each channel is first divided by a factor that the weights behind it are multiplied with
(SmoothQuant, Xiao et al., ICML 2023), and each token by its largest number, which the product is multiplied with. In exact
arithmetic neither changes anything; here the two make the error of a vector a quarter of what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.onnx_runtime import load_runtime
from vecsearch.encoders.onnx_session import create_session

ChannelValues: TypeAlias = NDArray[np.float32]

_MIGRATION_STRENGTH: Final = 0.5  # SmoothQuant's alpha: how far the difficulty moves from the activations to the weights
_MIN_MAGNITUDE: Final = 1e-5


def quantize(source: Path, target: Path, samples: Iterable[NDArray[np.int64]]) -> None:
    """Write the ONNX file `source` in 8 bits. `samples` show what activations are like: token ids of texts, shape (1, tokens).

    Weights get 7 bits and a scale a channel: products of 8 overflow on processors without VNNI, and vectors would then differ
    from one machine to the next.
    """
    load_runtime()
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(source))
    _smooth_channels(model, _measure_channel_maxima(model, samples, source.with_suffix(".seen.onnx")))
    _scale_tokens(model)
    onnx.save(model, str(source))
    quantize_dynamic(
        source, target, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Attention"], extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )  # fmt: skip


def _find_weighted_products(model: Any) -> dict[str, list[Any]]:
    """Return the matrix products with stored weights, by the activation that goes in."""
    stored = {tensor.name for tensor in model.graph.initializer}
    products: dict[str, list[Any]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in stored:
            products.setdefault(node.input[0], []).append(node)
    return products


def _measure_channel_maxima(model: Any, samples: Iterable[NDArray[np.int64]], scratch: Path) -> dict[str, ChannelValues]:
    """Measure the largest magnitude of each channel of those activations in any sample."""
    import onnx

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = list(_find_weighted_products(model))
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    onnx.save(watched, str(scratch))
    graph = create_session(str(scratch), optimized=True)  # it is not, but else some of them are fused away
    scratch.unlink()
    largest: dict[str, ChannelValues] = {}
    for ids in samples:
        for name, values in zip(names, graph.run(names, {"input_ids": ids}), strict=True):
            channels = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, np.zeros_like(channels)), channels)
    return largest


def _smooth_channels(model: Any, channel_maxima: Mapping[str, ChannelValues]) -> None:
    """Divide each activation channel by its factor, and multiply the weights with it, in place."""
    from onnx import helper, numpy_helper

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, nodes in _find_weighted_products(model).items():
        weights = {node.input[1]: numpy_helper.to_array(stored[node.input[1]]) for node in nodes}
        heaviest = np.max([np.abs(matrix).max(axis=1) for matrix in weights.values()], axis=0)
        factor = np.maximum(channel_maxima[name], _MIN_MAGNITUDE) ** _MIGRATION_STRENGTH / np.maximum(
            heaviest, _MIN_MAGNITUDE
        ) ** (1 - _MIGRATION_STRENGTH)
        for weight, values in weights.items():
            stored[weight].CopyFrom(numpy_helper.from_array((values * factor[:, np.newaxis]).astype(np.float32), weight))
        divisor, smooth = f"{name}/divisor", f"{name}/smooth"
        model.graph.initializer.append(numpy_helper.from_array((1 / factor).astype(np.float32), divisor))
        _insert_nodes(model, nodes[0], helper.make_node("Mul", [name, divisor], [smooth], name=smooth))
        for node in nodes:
            node.input[0] = smooth


def _scale_tokens(model: Any) -> None:
    """Divide each token by its largest number before a product and multiply the result with it, in place.

    Where several products share their activations, as those of attention do, each would have to pay for it, and gains nothing.
    """
    from onnx import helper

    for name, nodes in _find_weighted_products(model).items():
        if len(nodes) > 1:
            continue
        (node,) = nodes
        size, largest, scaled, product = (f"{name}/{what}" for what in ("size", "largest", "scaled", "product"))
        _insert_nodes(
            model, node,
            helper.make_node("Abs", [name], [size], name=size),
            helper.make_node("ReduceMax", [size], [largest], name=largest, axes=[-1], keepdims=1),
            helper.make_node("Div", [name, largest], [scaled], name=scaled),
        )  # fmt: skip
        node.input[0] = scaled
        after = helper.make_node("Mul", [product, largest], [node.output[0]], name=product)
        node.output[0] = product
        _insert_nodes(model, node, after, after=True)


def _insert_nodes(model: Any, anchor: Any, *nodes: Any, after: bool = False) -> None:
    """Insert nodes before a node, or behind it."""
    at = next(number for number, node in enumerate(model.graph.node) if node.name == anchor.name) + after
    for number, node in enumerate(nodes):
        model.graph.node.insert(at + number, node)
