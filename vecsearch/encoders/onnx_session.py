"""Sessions of ONNX Runtime."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Final
from weakref import WeakSet

from vecsearch.core.onnx_runtime import load_runtime

_ERRORS_ONLY: Final = 3  # in its count of severities

_THREADED: Final[WeakSet[Any]] = WeakSet()  # sessions with threads of their own


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
