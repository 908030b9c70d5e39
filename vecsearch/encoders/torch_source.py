"""Any BERT-like model that sentence-transformers loads, as a source of ONNX graphs: torch traces it, ONNX Runtime's tools
fuse its layers."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from vecsearch.core.onnx_runtime import load_runtime
from vecsearch.encoders.base import Matrix
from vecsearch.encoders.bert_graph import OPSET
from vecsearch.encoders.export_silence import silence_exporters
from vecsearch.encoders.model_config import ModelConfig
from vecsearch.encoders.reference_texts import REFERENCE_TEXTS
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder


class TorchSource:
    """A model as sentence-transformers has it: an `onnx_export.ExportSource`."""

    version = 1

    def __init__(self, encoder: SentenceTransformersEncoder) -> None:
        """Export the model of an encoder, which loads it when first needed."""
        self.name, self._encoder = encoder.name, encoder

    def build_model_config(self) -> ModelConfig | None:
        """Return what the runtime needs to know; None for a model that is more than tokens, pooling and normalisation."""
        return self._encoder.build_model_config()

    def get_tokenizer_json(self) -> str | None:
        """Return the fast tokenizer as a file's text; None where the model has none."""
        return self._encoder.get_tokenizer_json()

    def compute_reference_vectors(self) -> Matrix:
        """Encode the reference texts on torch."""
        return self._encoder.encode_documents(REFERENCE_TEXTS)

    def write_graph(self, path: Path) -> None:
        """Write the graph in 32 bits, its layers fused."""
        optimize, traced = _load_optimizer(), path.with_suffix(".traced.onnx")
        try:
            with silence_exporters():  # now those that have just been loaded too
                _trace_graph(self._encoder.get_transformer(), traced)
                fused = optimize(str(traced), model_type="bert", num_heads=0, hidden_size=0, opt_level=0)
                fused.save_model_to_file(str(path))
        finally:
            traced.unlink(missing_ok=True)


def _trace_graph(transformer: Any, path: Path) -> None:
    import torch

    class TokenRowModule(torch.nn.Module):
        """One text in, a row a token out: without padding there is nothing to mask."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = transformer

        def forward(self, input_ids: Any) -> Any:
            return self.inner(input_ids=input_ids).last_hidden_state

    axes = {0: "text", 1: "token"}
    example = torch.ones(1, 16, dtype=torch.long)
    torch.onnx.export(
        TokenRowModule().eval(), (example,), str(path), input_names=["input_ids"], output_names=["rows"],
        dynamic_axes={"input_ids": axes, "rows": axes}, dynamo=False, opset_version=OPSET,
    )  # fmt: skip


def _load_optimizer() -> Any:
    """Return ONNX Runtime's function that fuses the layers of a graph."""
    load_runtime()
    package = import_module("onnxruntime.transformers")
    if (folder := str(Path(str(package.__file__)).parent)) not in sys.path:
        sys.path.append(folder)  # its modules import each other from there, and only its first import says so
    return import_module("onnxruntime.transformers.optimizer").optimize_model
