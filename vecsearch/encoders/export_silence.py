"""Keep what the packages that export models print, log and set out of their host's process."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

_EXPORTERS: Final = frozenset({"onnx", "onnxruntime", "onnxscript", "torch", "transformers"})


@contextmanager
def silence_exporters() -> Iterator[None]:
    """Silence the exporters that are loaded; other loggers and warnings, and the import path, stay as the host has them."""
    import_path, root_handlers = sys.path.copy(), logging.root.handlers.copy()
    loggers: list[logging.Logger] = []
    levels: list[int] = []
    is_wanted = partial(_is_wanted)  # one of its own: where this is entered twice, each removes what it has added
    logging.root.addFilter(is_wanted)
    try:
        with warnings.catch_warnings():
            for name in _EXPORTERS:
                warnings.filterwarnings("ignore", module=rf"{name}\b")
            warnings.filterwarnings("ignore", module=r"vecsearch\.encoders\b")  # what torch says of the line that calls it
            names = {*_EXPORTERS, *filter(_is_exporter, logging.root.manager.loggerDict)}
            loggers = [logging.getLogger(name) for name in names]
            levels = [logger.level for logger in loggers]
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        sys.path[:] = import_path
        logging.root.removeFilter(is_wanted)
        if not root_handlers:  # `logging.warning`, which the tools call, has added one
            logging.root.handlers.clear()
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _is_exporter(logger_name: str) -> bool:
    """Return whether a logger belongs to a package that takes part; ONNX Runtime's tools name theirs like modules of the top."""
    file = getattr(sys.modules.get(logger_name), "__file__", None) or ""
    return logger_name.partition(".")[0] in _EXPORTERS or Path(file).parts[-3:-1] == ("onnxruntime", "transformers")


def _is_wanted(record: logging.LogRecord) -> bool:
    """Return whether a record of the root logger is not one of ONNX Runtime's tools."""
    return "onnxruntime" not in Path(record.pathname).parts
