"""From any BERT-like model that sentence-transformers loads to a folder that ONNX Runtime reads, once, in the user's cache.

The result is trusted only after its vectors have been compared with those of sentence-transformers (`_find_difference`). What
does not pass is remembered, with the reason, and the model then runs on sentence-transformers.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.cache_folders import create_private_folder, get_cache_folder
from vecsearch.core.checksums import compute_checksum
from vecsearch.core.file_lock import hold_file_lock
from vecsearch.core.nesting import load_json
from vecsearch.encoders.file_hashes import write_atomically
from vecsearch.encoders.model_config import ModelConfig, Pooling
from vecsearch.encoders.model_files import ComputePrecision, compute_fingerprint
from vecsearch.encoders.onnx_model import MODEL_FILE, TOKENIZER_FILE, OnnxModel
from vecsearch.encoders.onnx_session import create_session, load_runtime
from vecsearch.encoders.quantization import quantize
from vecsearch.encoders.reference_texts import REFERENCE_TEXTS

if TYPE_CHECKING:
    from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder

_EXPORT_VERSION: Final = 1  # goes up when the same model is prepared otherwise
_RECORD_FILE: Final = "prepared.json"
_WEIGHTS_FILE: Final = "model.data"
_OPSET: Final = 17
_EXPORTERS: Final = frozenset({"onnx", "onnxruntime", "onnxscript", "torch", "transformers"})
_EXTERNAL_TENSOR_BYTES: Final = 1024  # bytes from which on a tensor lies beside the graph, where ONNX Runtime maps it
_MIN_COSINE: Final = {ComputePrecision.FLOAT32: 0.9999, ComputePrecision.INT8: 0.98}  # of any sample to the reference …
_MIN_CORRELATION: Final = {
    ComputePrecision.FLOAT32: 0.9999,
    ComputePrecision.INT8: 0.995,
}  # … and of all their similarities, as a correlation

log = logging.getLogger("vecsearch")


class ExportUnsupportedError(Exception):
    """The lean runtime does not serve this model; says why."""


def prepare_model(reference: SentenceTransformersEncoder, source: Path, compute_precision: ComputePrecision) -> OnnxModel:
    """Return the model in a source folder, prepared now if it is not yet. Raises ExportUnsupportedError.

    `reference` is loaded only to prepare.
    """
    fingerprint = compute_fingerprint(source, compute_precision)
    folder = get_cache_folder("models") / f"{fingerprint.removeprefix('sha256:')[:32]}-{_EXPORT_VERSION}"
    if (prepared := _read_prepared_model(folder)) is not None:
        return prepared
    try:
        create_private_folder(folder.parent)
        with hold_file_lock(folder.with_suffix(".lock")):  # two at once would only slow each other
            if (prepared := _read_prepared_model(folder)) is not None:
                return prepared
            log.info(
                "Preparing the model %s (%s) for this machine; once, it takes some ten seconds.",
                reference.name,
                compute_precision,
            )
            return _export_and_verify(reference, folder, compute_precision)
    except ExportUnsupportedError as reason:
        with suppress(OSError):
            write_atomically(folder / _RECORD_FILE, json.dumps({"unsuited": str(reason)}))
        raise
    except OSError as error:
        raise ExportUnsupportedError(f"it cannot be kept in {folder.parent}: {error}") from error


def _read_prepared_model(folder: Path) -> OnnxModel | None:
    """Return what an earlier run prepared; None where that is not complete. Raises ExportUnsupportedError, as that run did."""
    try:
        record = load_json((folder / _RECORD_FILE).read_text(encoding="utf-8"))
        if "unsuited" in record:
            raise ExportUnsupportedError(record["unsuited"])
        if any(compute_checksum(folder / name) != digest for name, digest in record["files"].items()):
            return None
        traits = record["traits"]
        return OnnxModel(folder, ModelConfig(**{**traits, "pooling": Pooling(traits["pooling"])}))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("The prepared model in %s cannot be read and is prepared again: %s: %s", folder, type(error).__name__, error)
        return None


def _export_and_verify(reference: SentenceTransformersEncoder, folder: Path, compute_precision: ComputePrecision) -> OnnxModel:
    traits, tokenizer = reference.build_model_config(), reference.get_tokenizer_json()
    if traits is None or tokenizer is None:
        raise ExportUnsupportedError("its modules are more than a transformer, mean or first-token pooling, and normalisation")
    workplace = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (workplace / TOKENIZER_FILE).write_text(tokenizer, encoding="utf-8")
        model = OnnxModel(workplace, traits)
        with _silence_exporters():
            _export_graph(reference.get_transformer(), map(model.get_token_ids, REFERENCE_TEXTS), workplace, compute_precision)
        if (difference := _find_difference(model, reference, compute_precision)) is not None:
            raise ExportUnsupportedError(difference)
        files = {path.name: compute_checksum(path) for path in sorted(workplace.iterdir())}
        write_atomically(workplace / _RECORD_FILE, json.dumps({"traits": asdict(traits), "files": files}))
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or of a run that was cut off
        workplace.replace(folder)
        return OnnxModel(folder, traits)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _export_graph(
    transformer: Any, samples: Iterable[NDArray[np.int64]], folder: Path, compute_precision: ComputePrecision
) -> None:
    """Export the graph and its weights: traced by torch, its layers fused and put into 8 bits by ONNX Runtime's tools."""
    import onnx

    traced, fused, final = (folder / name for name in ("traced.onnx", "fused.onnx", "final.onnx"))
    try:
        _trace_graph(transformer, traced)
        _load_optimizer()(str(traced), model_type="bert", num_heads=0, hidden_size=0, opt_level=0).save_model_to_file(str(fused))
        if compute_precision is ComputePrecision.INT8:
            quantize(fused, final, samples)
        else:
            fused.rename(final)
        create_session(str(final), optimized=False, save_to=str(final))  # folds constants now, not at every start
        onnx.save_model(
            onnx.load(str(final)), str(folder / MODEL_FILE), save_as_external_data=True, location=_WEIGHTS_FILE,
            size_threshold=_EXTERNAL_TENSOR_BYTES,
        )  # fmt: skip
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise ExportUnsupportedError(f"it cannot be exported ({type(error).__name__}: {str(error).splitlines()[:1]})") from error
    finally:
        for path in (traced, fused, final):
            path.unlink(missing_ok=True)


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
        dynamic_axes={"input_ids": axes, "rows": axes}, dynamo=False, opset_version=_OPSET,
    )  # fmt: skip


def _find_difference(model: OnnxModel, reference: SentenceTransformersEncoder, compute_precision: ComputePrecision) -> str | None:
    """Return in what the prepared model differs too much from sentence-transformers on sample texts; None where it does not."""
    ours, theirs = model.encode_documents(REFERENCE_TEXTS), reference.encode_documents(REFERENCE_TEXTS)
    cosine = float((ours * theirs).sum(axis=1).min())
    likeness = float(np.corrcoef(_compute_similarities(ours), _compute_similarities(theirs))[0, 1])
    log.debug("%s: least cosine to the reference %.5f, correlation of similarities %.5f", compute_precision, cosine, likeness)
    if cosine >= _MIN_COSINE[compute_precision] and likeness >= _MIN_CORRELATION[compute_precision]:
        return None
    return (
        f"in {compute_precision} its vectors are not those of sentence-transformers (cosine {cosine:.4f}, ranking {likeness:.4f})"
    )


def _compute_similarities(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return (rows @ rows.T)[np.triu_indices(len(rows), 1)]


def _load_optimizer() -> Any:
    """Return ONNX Runtime's function that fuses the layers of a graph. Raises OSError where a package is missing."""
    load_runtime()
    try:
        import_module("onnx")
        package = import_module("onnxruntime.transformers")
        if (folder := str(Path(str(package.__file__)).parent)) not in sys.path:
            sys.path.append(folder)  # its modules import each other from there, and only its first import says so
        return import_module("onnxruntime.transformers.optimizer").optimize_model
    except ImportError as error:
        raise OSError(f"{error}; pip install onnx onnxruntime") from error


@contextmanager
def _silence_exporters() -> Iterator[None]:
    """Keep the exporters' notes out of the output; other loggers and warnings, and the import path, stay as the host has them."""
    import_path, root_handlers = sys.path.copy(), logging.root.handlers.copy()
    loggers: list[logging.Logger] = []
    levels: list[int] = []
    logging.root.addFilter(_is_wanted)
    try:
        with warnings.catch_warnings():
            for name in _EXPORTERS:
                warnings.filterwarnings("ignore", module=rf"{name}\b")
            warnings.filterwarnings("ignore", module=__name__)
            _load_optimizer()
            names = {*_EXPORTERS, *filter(_is_exporter, logging.root.manager.loggerDict)}
            loggers = [logging.getLogger(name) for name in names]
            levels = [logger.level for logger in loggers]
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        sys.path[:] = import_path
        logging.root.removeFilter(_is_wanted)
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
