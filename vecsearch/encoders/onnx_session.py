"""ONNX Runtime, which in this house tells nobody anything."""

from __future__ import annotations

import os
from typing import Any, Final

from vecsearch.core.errors import UnavailableError

_ERRORS_ONLY: Final = 3  # in its count of severities


def load_runtime() -> Any:
    """The module. Raises UnavailableError.

    Official builds send telemetry unless this variable is set before the first import, from wherever that comes: so everything
    that uses ONNX Runtime asks here first.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise UnavailableError(f"ONNX Runtime cannot be loaded ({error}); pip install onnxruntime") from error
    return onnxruntime


def create_session(path: str, *, optimized: bool, save_to: str | None = None) -> Any:
    """A session over an ONNX file on the processor; `optimized`: the file already is, and is taken as it stands."""
    ort = load_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # several texts share the cores
    options.log_severity_level = _ERRORS_ONLY
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL if optimized else level.ORT_ENABLE_EXTENDED
    if save_to is not None:
        options.optimized_model_filepath = save_to
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
