"""Load ONNX Runtime without its telemetry."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, Final

from vecsearch.core.errors import UnavailableError
from vecsearch.core.undisturbed import run_undisturbed

_NO_TELEMETRY: Final = "ORT_DISABLE_TELEMETRY"


def load_runtime() -> Any:
    """Return the module. Raises UnavailableError.

    Official builds send telemetry unless this variable is set at the first import, so everything that uses ONNX Runtime asks
    here first. The environment is the host's: the variable is put back as it was. An import that is interrupted could not be
    made again, as its compiled half is there already.
    """
    try:
        if "onnxruntime" in sys.modules:
            return import_module("onnxruntime")  # whole, once another thread has loaded it
        return run_undisturbed(_load_quietly)
    except ImportError as error:
        raise UnavailableError(f"ONNX Runtime cannot be loaded ({error}); pip install onnxruntime") from error


def _load_quietly() -> Any:
    before = os.environ.get(_NO_TELEMETRY)
    os.environ[_NO_TELEMETRY] = "1"
    try:
        return import_module("onnxruntime")
    finally:
        if before is None:
            del os.environ[_NO_TELEMETRY]
        else:
            os.environ[_NO_TELEMETRY] = before
