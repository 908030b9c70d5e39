"""An encoder by name, on whatever runs it best here: decided when a vector is first needed, not before."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from vecsearch.core.errors import UnavailableError, VecsearchWarning
from vecsearch.encoding import identity
from vecsearch.encoding.identity import Arithmetic
from vecsearch.encoding.protocol import Matrix, TokenRows

if TYPE_CHECKING:
    from vecsearch.encoding.onnx import OnnxModel
    from vecsearch.encoding.sentence_transformers import SentenceTransformersEncoder

    _Engine: TypeAlias = OnnxModel | SentenceTransformersEncoder

_GPU: Final = Path("/dev/nvidia0")  # a look that costs nothing; torch itself is asked only where it is there


class NamedEncoder:
    """A hub name, a local folder or the bundled model, in one arithmetic; by default the quickest that holds its own.

    Making one checks that the files are there. In float32 it runs on ONNX Runtime where the model suits that, else on
    sentence-transformers, and there documents are encoded on a GPU if one is found: their vectors agree. In int8 only ONNX
    Runtime will do.
    """

    def __init__(self, name: str, arithmetic: Arithmetic | None = None) -> None:
        """Raises UnavailableError."""
        self.name = identity.canonical(name)
        self._folder, self._asked = identity.files_of(self.name), arithmetic
        self._found: dict[Arithmetic, OnnxModel | None] = {}
        self._why = ""

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """As asked for; else int8, unless there is a GPU, or this model suffers from it."""
        if self._asked is not None:
            return self._asked
        return Arithmetic.FLOAT32 if _gpu() or self._lean(Arithmetic.INT8) is None else Arithmetic.INT8

    @cached_property
    def fingerprint(self) -> str:
        """Of the model's files and the arithmetic."""
        return identity.fingerprint_of(self._folder, self.arithmetic)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._engine.dimension

    @property
    def max_tokens(self) -> int:
        """The window without special tokens and the document prompt."""
        return self._engine.max_tokens

    @property
    def pools_by_mean(self) -> bool:
        """Whether a text's vector is the mean of its tokens' rows."""
        return self._engine.pools_by_mean

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Of all of a text, special tokens left out."""
        return self._engine.token_spans(text)

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        """With the model's document prompt, if it has one."""
        gpu = self.arithmetic is Arithmetic.FLOAT32 and _gpu()
        return (self._on_gpu if gpu else self._engine).encode_documents(texts)

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """With the model's query prompt, if it has one."""
        return self._engine.encode_queries(texts)

    def encode_tokens(self, texts: Sequence[str], *, asked: bool = False) -> list[TokenRows]:
        """With the prompt of that side."""
        return self._engine.encode_tokens(texts, asked=asked)

    @cached_property
    def _engine(self) -> _Engine:
        found = self._lean(self.arithmetic)
        if found is not None:
            return found
        if self.arithmetic is Arithmetic.INT8:
            raise UnavailableError(
                f"the collection was made with {self.name} in 8 bits, which does not run here: {self._why}; "
                "index into a new collection, or: pip install onnx onnxruntime"
            )
        warnings.warn(f"{self.name} runs on sentence-transformers, which is slower: {self._why}", VecsearchWarning, stacklevel=2)
        return self._reference()

    def _lean(self, arithmetic: Arithmetic) -> OnnxModel | None:
        """The model on ONNX Runtime, looked for once; None where that does not serve it."""
        from vecsearch.encoding.preparing import Unsuited, prepared

        if arithmetic not in self._found:
            try:
                self._found[arithmetic] = prepared(self._reference(), self._folder, arithmetic)
            except Unsuited as reason:
                self._found[arithmetic], self._why = None, str(reason)
        return self._found[arithmetic]

    def _reference(self, device: str = "cpu") -> SentenceTransformersEncoder:
        from vecsearch.encoding.sentence_transformers import SentenceTransformersEncoder

        return SentenceTransformersEncoder(self.name, device=device)

    @cached_property
    def _on_gpu(self) -> SentenceTransformersEncoder:
        return self._reference("cuda")


def _gpu() -> bool:
    """Whether torch can use one."""
    if not _GPU.exists():
        return False
    import torch

    return bool(torch.cuda.is_available())
