"""An encoder by name, on whatever runs it best here: decided when a vector is first needed, not before."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.encoder_fields import is_thread_safe, read_modalities
from vecsearch.core.errors import UnavailableError, VecsearchWarning
from vecsearch.core.lazy_property import lazy_property
from vecsearch.encoders import model_files
from vecsearch.encoders.base import Matrix, TokenRows
from vecsearch.encoders.model_files import ComputePrecision

if TYPE_CHECKING:
    from vecsearch.core.tokenizer_window import TokenizerWindow
    from vecsearch.encoders.onnx_export import ExportSource
    from vecsearch.encoders.onnx_model import OnnxModel
    from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder

    _Engine: TypeAlias = OnnxModel | SentenceTransformersEncoder

_GPU_DEVICE: Final = Path("/dev/nvidia0")  # a look that costs nothing; torch itself is loaded only where it is there


class AutoEncoder:
    """A hub name, a local folder or the bundled model, in one arithmetic; by default the quickest that holds its own.

    Making one checks that the files are there. In float32 it runs on ONNX Runtime where the model suits that, else on
    sentence-transformers, and there documents are encoded on a GPU if one is found: their vectors agree. In int8 only ONNX
    Runtime will do.
    """

    def __init__(self, name: str, compute_precision: ComputePrecision | None = None) -> None:
        """Find the model's files. Raises UnavailableError."""
        self.name = model_files.normalize_model_name(name)
        self._folder, self._requested_precision = model_files.find_model_folder(self.name), compute_precision
        self._onnx_models: dict[ComputePrecision, OnnxModel | None] = {}
        self._unsupported_reason = ""

    @lazy_property
    def compute_precision(self) -> ComputePrecision:
        """Return the requested precision; else int8, unless there is a GPU, or this model suffers from it."""
        if self._requested_precision is not None:
            return self._requested_precision
        return ComputePrecision.FLOAT32 if _has_gpu() or self._onnx(ComputePrecision.INT8) is None else ComputePrecision.INT8

    @lazy_property
    def fingerprint(self) -> str:
        """Return the fingerprint of the model's files and of how it computes."""
        return model_files.compute_fingerprint(self._folder, self.compute_precision)

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return self._engine.dimension

    @property
    def max_tokens(self) -> int:
        """Return the window without special tokens and the document prompt."""
        return self._engine.max_tokens

    @property
    def is_thread_safe(self) -> bool:
        """Return whether several threads may use it at the same time."""
        return is_thread_safe(self._engine)

    @property
    def pools_by_mean(self) -> bool:
        """Return whether a text's vector is the mean of its tokens' rows."""
        return self._engine.pools_by_mean

    @property
    def token_window(self) -> TokenizerWindow | None:
        """Return its tokenizer and window, without the model; None where it has no such tokenizer."""
        return getattr(self._engine, "token_window", None)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the character range of every token of a text, not cut at the window, special tokens left out."""
        return self._engine.token_spans(text)

    def count_tokens(self, text: str) -> int:
        """Return how many `token_spans` a text has."""
        return self._engine.count_tokens(text)

    def token_starts(self, text: str) -> NDArray[np.int64] | None:
        """Return where each token of a text begins, or its word does; None where words do not tell."""
        return self._engine.token_starts(text)

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        """Encode documents, with the model's document prompt, if it has one."""
        gpu = self.compute_precision is ComputePrecision.FLOAT32 and _has_gpu()
        return (self._gpu_encoder if gpu else self._engine).encode_documents(texts)

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """Encode queries, with the model's query prompt, if it has one."""
        return self._engine.encode_queries(texts)

    def encode_tokens(self, texts: Sequence[str], *, is_query: bool = False) -> list[TokenRows]:
        """Encode the tokens of texts, with the document prompt or the query prompt."""
        return self._engine.encode_tokens(texts, is_query=is_query)

    def encode_middle_tokens(self, texts: Sequence[str]) -> list[TokenRows]:
        """Encode the tokens of texts as documents, up to a middle layer, where the model runs on a graph that shows one."""
        return self._engine.encode_middle_tokens(texts)

    @lazy_property
    def modalities(self) -> frozenset[str]:
        """Return what the model encodes into one space: "text", and for some "image" or "audio". Loads none of a known kind."""
        if not model_files.can_take_media(self._folder):
            return frozenset({"text"})
        return model_files.read_known_modalities(self._folder) or read_modalities(self._engine)

    def encode_images(self, images: Sequence[Any]) -> Matrix:
        """Return (len(images), dimension) float32 rows of length 1 of pictures of Pillow. Raises UnavailableError."""
        return self._require_media("image").encode_images(images)

    def encode_audio(self, sounds: Sequence[NDArray[np.float32]], *, sample_rate: int) -> Matrix:
        """Return (len(sounds), dimension) float32 rows of length 1 of mono sounds. Raises UnavailableError."""
        return self._require_media("audio").encode_audio(sounds, sample_rate=sample_rate)

    def _require_media(self, modality: str) -> SentenceTransformersEncoder:
        if modality not in self.modalities:
            raise UnavailableError(model_files.explain_modality(self.name, self.modalities, modality))
        engine: Any = self._gpu_encoder if _has_gpu() else self._engine
        return cast("SentenceTransformersEncoder", engine)

    @lazy_property
    def _engine(self) -> _Engine:
        model = self._onnx(self.compute_precision)
        if model is not None:
            return model
        if self.compute_precision is ComputePrecision.INT8:
            raise UnavailableError(
                f"the collection was made with {self.name} in 8 bits, which does not run here: {self._unsupported_reason}; "
                "index into a new collection, or: pip install onnx onnxruntime"
            )
        model_files.require_sentence_transformers(self.name, self._unsupported_reason)
        warnings.warn(
            f"{self.name} runs on sentence-transformers, which is slower: {self._unsupported_reason}",
            VecsearchWarning,
            stacklevel=2,
        )
        return self._torch()

    def _onnx(self, compute_precision: ComputePrecision) -> OnnxModel | None:
        """Return the model on ONNX Runtime, looked for once; None where that does not serve it."""
        from vecsearch.encoders.onnx_export import ExportUnsupportedError, prepare_model

        if compute_precision not in self._onnx_models:
            try:
                self._onnx_models[compute_precision] = prepare_model(self._export_source, self._folder, compute_precision)
            except ExportUnsupportedError as reason:
                self._onnx_models[compute_precision], self._unsupported_reason = None, str(reason)
        return self._onnx_models[compute_precision]

    @property
    def _export_source(self) -> ExportSource:
        if self.name == model_files.BUNDLED_MODEL:
            from vecsearch.encoders.bundled_source import BundledModelSource

            return BundledModelSource(self._folder)
        from vecsearch.encoders.torch_source import TorchSource

        return TorchSource(self._torch())

    def _torch(self, device: str = "cpu") -> SentenceTransformersEncoder:
        from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder

        return SentenceTransformersEncoder(self.name, device=device)

    @lazy_property
    def _gpu_encoder(self) -> SentenceTransformersEncoder:
        return self._torch("cuda")


def _has_gpu() -> bool:
    """Return whether torch can use a GPU."""
    if not _GPU_DEVICE.exists() or find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
