"""From a model's files to a folder that ONNX Runtime reads, once, in the user's cache.

Where the graph comes from is the business of an `ExportSource`. The result is trusted only after its vectors have been compared
with those of sentence-transformers (`_find_difference`). What does not pass is remembered, with the reason, and the model then
runs on sentence-transformers.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.cache_folders import create_private_folder, get_cache_folder
from vecsearch.core.checksums import compute_checksum
from vecsearch.core.file_lock import hold_file_lock
from vecsearch.core.long_steps import announce
from vecsearch.core.nesting import load_json
from vecsearch.core.onnx_runtime import load_runtime
from vecsearch.encoders.base import Matrix
from vecsearch.encoders.export_silence import silence_exporters
from vecsearch.encoders.file_hashes import write_atomically
from vecsearch.encoders.model_config import ModelConfig, Pooling
from vecsearch.encoders.model_files import ComputePrecision, compute_fingerprint
from vecsearch.encoders.onnx_model import MIDDLE_FILE, MODEL_FILE, TOKENIZER_FILE, OnnxModel
from vecsearch.encoders.onnx_session import create_session
from vecsearch.encoders.quantization import quantize
from vecsearch.encoders.reference_texts import REFERENCE_TEXTS

_USUAL_SECONDS: Final = 20  # that preparing a small model takes
_RECORD_FILE: Final = "prepared.json"
_WEIGHTS_FILE: Final = "model.data"
_INPUT: Final = "input_ids"
_EXTERNAL_TENSOR_BYTES: Final = 1024  # bytes from which on a tensor lies beside the graph, where ONNX Runtime maps it
_MIN_COSINE: Final = {ComputePrecision.FLOAT32: 0.9999, ComputePrecision.INT8: 0.98}  # of any sample to the reference …
_MIN_CORRELATION: Final = {
    ComputePrecision.FLOAT32: 0.9999,
    ComputePrecision.INT8: 0.995,
}  # … and of all their similarities, as a correlation

log = logging.getLogger("vecsearch")


class ExportUnsupportedError(Exception):
    """The lean runtime does not serve this model; says why."""


class ExportSource(Protocol):
    """A model that can be prepared. It is asked for nothing but its name and version once it is."""

    @property
    def name(self) -> str:
        """Return the model's name."""
        ...

    @property
    def version(self) -> int:
        """Return a number that goes up when the same model is prepared otherwise."""
        ...

    def build_model_config(self) -> ModelConfig | None:
        """Return what the runtime needs to know; None for a model that is more than tokens, pooling and normalisation."""
        ...

    def get_tokenizer_json(self) -> str | None:
        """Return the tokenizer of the `tokenizers` library as a file's text; None where the model has none."""
        ...

    def write_graph(self, path: Path) -> None:
        """Write the ONNX graph in 32 bits, `input_ids` (1, tokens) → first output (1, tokens, dimension), its layers fused.

        A second output, where there is one, are the rows of a middle layer.
        """
        ...

    def compute_reference_vectors(self) -> Matrix:
        """Return what sentence-transformers makes of `REFERENCE_TEXTS`: (texts, dimension), of length 1."""
        ...


def prepare_model(source: ExportSource, model_folder: Path, compute_precision: ComputePrecision) -> OnnxModel:
    """Return the model whose files lie in a folder, prepared now if it is not yet. Raises ExportUnsupportedError."""
    fingerprint = compute_fingerprint(model_folder, compute_precision)
    folder = get_cache_folder("models") / f"{fingerprint.removeprefix('sha256:')[:32]}-{source.version}"
    if (prepared := _read_prepared_model(folder)) is not None:
        return prepared
    try:
        create_private_folder(folder.parent)
        with hold_file_lock(folder.with_suffix(".lock")):  # two at once would only slow each other
            if (prepared := _read_prepared_model(folder)) is not None:
                return prepared
            with announce(f"preparing the model {source.name} ({compute_precision}) for this machine", _USUAL_SECONDS):
                return _export_and_verify(source, folder, compute_precision)
    except ExportUnsupportedError as reason:
        with suppress(OSError):
            write_atomically(folder / _RECORD_FILE, json.dumps({"unsuited": str(reason)}))
        raise
    except OSError as error:
        raise ExportUnsupportedError(f"it cannot be kept in {folder.parent}: {error}") from error


def remove_prepared_models(model_folder: Path) -> None:
    """Remove what was prepared of a model that is about to go, in every precision, from the cache."""
    for compute_precision in ComputePrecision:
        name = compute_fingerprint(model_folder, compute_precision).removeprefix("sha256:")[:32]
        for path in get_cache_folder("models").glob(f"{name}-*"):
            shutil.rmtree(path, ignore_errors=True)
            path.with_suffix(".lock").unlink(missing_ok=True)


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


def _export_and_verify(source: ExportSource, folder: Path, compute_precision: ComputePrecision) -> OnnxModel:
    traits, tokenizer = source.build_model_config(), source.get_tokenizer_json()
    if traits is None or tokenizer is None:
        raise ExportUnsupportedError("its modules are more than a transformer, mean or first-token pooling, and normalisation")
    workplace = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (workplace / TOKENIZER_FILE).write_text(tokenizer, encoding="utf-8")
        model = OnnxModel(workplace, traits)
        _write_model(source, map(model.get_token_ids, REFERENCE_TEXTS), workplace, compute_precision)
        if (difference := _find_difference(model, source, compute_precision)) is not None:
            raise ExportUnsupportedError(difference)
        files = {path.name: compute_checksum(path) for path in sorted(workplace.iterdir())}
        write_atomically(workplace / _RECORD_FILE, json.dumps({"traits": asdict(traits), "files": files}))
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or of a run that was cut off
        workplace.replace(folder)
        return OnnxModel(folder, traits)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _write_model(
    source: ExportSource, samples: Iterable[NDArray[np.int64]], folder: Path, compute_precision: ComputePrecision
) -> None:
    """Write the source's graph, in 8 bits where they are asked for, and its weights."""
    graph, final = folder / "graph.onnx", folder / "final.onnx"
    try:
        import onnx

        load_runtime()
        with silence_exporters():
            source.write_graph(graph)
            if compute_precision is ComputePrecision.INT8:
                quantize(graph, final, samples)
            else:
                graph.rename(final)
            create_session(str(final), optimized=False, save_to=str(final))  # folds constants now, not at every start
            onnx.save_model(
                onnx.load(str(final)), str(folder / MODEL_FILE), save_as_external_data=True, location=_WEIGHTS_FILE,
                size_threshold=_EXTERNAL_TENSOR_BYTES,
            )  # fmt: skip
            _split_off_middle(folder)
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise ExportUnsupportedError(f"it cannot be exported ({type(error).__name__}: {str(error).splitlines()[:1]})") from error
    except ImportError as error:
        raise OSError(f"{error}; pip install onnx onnxruntime") from error
    finally:
        for path in (graph, final):
            path.unlink(missing_ok=True)


def _split_off_middle(folder: Path) -> None:
    """Put the layers up to a second output, if there is one, into a graph of their own, over the same file of weights.

    ONNX Runtime computes all of a graph, whichever output is asked for.
    """
    import onnx
    from onnx.utils import Extractor

    model = onnx.load(str(folder / MODEL_FILE), load_external_data=False)
    if middle := [output.name for output in model.graph.output[1:2]]:
        onnx.save(Extractor(model).extract_model([_INPUT], middle), str(folder / MIDDLE_FILE))
        del model.graph.output[1:]
        onnx.save(model, str(folder / MODEL_FILE))


def _find_difference(model: OnnxModel, source: ExportSource, compute_precision: ComputePrecision) -> str | None:
    """Return in what the prepared model differs too much from sentence-transformers on sample texts; None where it does not."""
    ours, theirs = model.encode_documents(REFERENCE_TEXTS), source.compute_reference_vectors()
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
