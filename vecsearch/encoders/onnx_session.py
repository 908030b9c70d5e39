"""Load ONNX Runtime without its telemetry, and make sessions."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib import import_module
from typing import Any, Final
from weakref import WeakSet

from vecsearch.core.errors import UnavailableError

_NO_TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"
_ERRORS_ONLY: Final = 3  # in its count of severities

_THREADED: Final[WeakSet[Any]] = WeakSet()  # sessions with threads of their own


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


def create_session(path: str, *, optimized: bool, save_to: str | None = None, threads: int = 1) -> Any:
    """Return a session on the processor, each run on so many threads; an `optimized` file is taken as it stands."""
    ort = load_runtime()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    if threads > 1:
        options.add_session_config_entry("session.force_spinning_stop", "1")  # else they burn 40 ms after each run
    options.log_severity_level = _ERRORS_ONLY
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_DISABLE_ALL if optimized else level.ORT_ENABLE_EXTENDED
    if save_to is not None:
        options.optimized_model_filepath = save_to
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if threads > 1:
        _THREADED.add(session)
        _prepare_for_forks()
    return session


@cache
def _prepare_for_forks() -> None:
    os.register_at_fork(after_in_child=_keep_sessions)


def _keep_sessions() -> None:
    """Keep a parent's sessions for as long as this child lives: taking one down would wait for threads that it does not have."""
    import ctypes

    for session in list(_THREADED):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
