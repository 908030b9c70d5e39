"""Load ONNX Runtime without its telemetry, and make sessions."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, Final

from vecsearch.core.errors import UnavailableError

_NO_TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"
_ERRORS_ONLY: Final = 3  # in its count of severities


def load_runtime() -> Any:
    """Return the module. Raises UnavailableError.

    Official builds send telemetry unless this variable is set at the first import, so everything that uses ONNX Runtime asks
    here first. The environment is the host's: the variable is put back as it was.
    """
    if (onnxruntime := sys.modules.get("onnxruntime")) is not None:
        return onnxruntime
    before = os.environ.get(_NO_TELEMETRY)
    os.environ[_NO_TELEMETRY] = "1"
    try:
        return import_module("onnxruntime")
    except ImportError as error:
        raise UnavailableError(f"ONNX Runtime cannot be loaded ({error}); pip install onnxruntime") from error
    finally:
        if before is None:
            del os.environ[_NO_TELEMETRY]
        else:
            os.environ[_NO_TELEMETRY] = before


def create_session(path: str, *, optimized: bool, save_to: str | None = None) -> Any:
    """Return a session on the processor; an `optimized` file is taken as it stands."""
    ort = load_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # several texts share the cores
    options.log_severity_level = _ERRORS_ONLY
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL if optimized else level.ORT_ENABLE_EXTENDED
    if save_to is not None:
        options.optimized_model_filepath = save_to
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
