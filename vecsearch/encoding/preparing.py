"""From any BERT-like model that sentence-transformers loads to a folder that ONNX Runtime reads, once, in the user's cache.

The result is trusted only after its vectors have been held against those of sentence-transformers: see `_differs`. What does
not pass is remembered, with the reason, and the model then runs on sentence-transformers.
"""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.caches import cache_folder, make_private
from vecsearch.core.checksums import checksum_of
from vecsearch.encoding.digests import write_whole
from vecsearch.encoding.identity import Arithmetic, fingerprint_of
from vecsearch.encoding.onnx import MODEL_FILE, TOKENIZER_FILE, OnnxModel
from vecsearch.encoding.ort import runtime, session
from vecsearch.encoding.quantizing import quantize
from vecsearch.encoding.samples import SAMPLES
from vecsearch.encoding.traits import Pooling, Traits

if TYPE_CHECKING:
    from vecsearch.encoding.sentence_transformers import SentenceTransformersEncoder

_RECIPE: Final = 1  # goes up when the same model is prepared otherwise
_RECORD: Final = "prepared.json"
_WEIGHTS_FILE: Final = "model.data"
_OPSET: Final = 17
_LARGE: Final = 1024  # bytes from which on a tensor lies beside the graph, where ONNX Runtime maps it
_LEAST_COSINE: Final = {Arithmetic.FLOAT32: 0.9999, Arithmetic.INT8: 0.98}  # of any sample to the reference …
_LEAST_LIKENESS: Final = {Arithmetic.FLOAT32: 0.9999, Arithmetic.INT8: 0.995}  # … and of all their similarities, as a correlation

log = logging.getLogger("vecsearch")


class Unsuited(Exception):
    """The lean runtime does not serve this model; says why."""


def prepared(reference: SentenceTransformersEncoder, source: Path, arithmetic: Arithmetic) -> OnnxModel:
    """The model in a source folder, prepared now if it is not yet. Raises Unsuited.

    `reference` is loaded only to prepare.
    """
    fingerprint = fingerprint_of(source, arithmetic)
    folder = cache_folder("models") / f"{fingerprint.removeprefix('sha256:')[:32]}-{_RECIPE}"
    if (found := _read(folder)) is not None:
        return found
    from filelock import FileLock

    try:
        make_private(folder.parent)
        with FileLock(folder.with_suffix(".lock"), mode=0o600):  # two at once would only slow each other
            if (found := _read(folder)) is not None:
                return found
            log.info(
                "Preparing the encoder %s (%s) for this machine; once, it takes some ten seconds.", reference.name, arithmetic
            )
            return _prepare(reference, folder, arithmetic)
    except Unsuited as reason:
        with suppress(OSError):
            write_whole(folder / _RECORD, json.dumps({"unsuited": str(reason)}))
        raise
    except OSError as error:
        raise Unsuited(f"it cannot be kept in {folder.parent}: {error}") from error


def _read(folder: Path) -> OnnxModel | None:
    """What an earlier run prepared; None where there is nothing whole. Raises Unsuited, as that run did."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        if "unsuited" in record:
            raise Unsuited(record["unsuited"])
        if any(checksum_of(folder / name) != digest for name, digest in record["files"].items()):
            return None
        traits = record["traits"]
        return OnnxModel(folder, Traits(**{**traits, "pooling": Pooling(traits["pooling"])}))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _prepare(reference: SentenceTransformersEncoder, folder: Path, arithmetic: Arithmetic) -> OnnxModel:
    traits, tokenizer = reference.traits(), reference.tokenizer_json()
    if traits is None or tokenizer is None:
        raise Unsuited("its modules are more than a transformer, mean or first-token pooling, and normalisation")
    workplace = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (workplace / TOKENIZER_FILE).write_text(tokenizer, encoding="utf-8")
        model = OnnxModel(workplace, traits)
        with _silent():
            _export(reference.transformer(), map(model.token_ids, SAMPLES), workplace, arithmetic)
        if (difference := _differs(model, reference, arithmetic)) is not None:
            raise Unsuited(difference)
        files = {path.name: checksum_of(path) for path in sorted(workplace.iterdir())}
        write_whole(workplace / _RECORD, json.dumps({"traits": asdict(traits), "files": files}))
        shutil.rmtree(folder, ignore_errors=True)  # damaged, or of a run that was cut off
        workplace.replace(folder)
        return OnnxModel(folder, traits)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def _export(transformer: Any, samples: Iterable[NDArray[np.int64]], folder: Path, arithmetic: Arithmetic) -> None:
    """The graph with its weights beside it: traced by torch, its layers fused and put into 8 bits by ONNX Runtime's tools."""
    runtime()
    try:
        import onnx
        from onnxruntime.transformers.optimizer import optimize_model
    except ImportError as error:
        raise OSError(f"{error}; pip install onnx onnxruntime") from error
    traced, fused, final = (folder / name for name in ("traced.onnx", "fused.onnx", "final.onnx"))
    try:
        _trace(transformer, traced)
        optimize_model(str(traced), model_type="bert", num_heads=0, hidden_size=0, opt_level=0).save_model_to_file(str(fused))
        if arithmetic is Arithmetic.INT8:
            quantize(fused, final, samples)
        else:
            fused.rename(final)
        session(str(final), optimized=False, save_to=str(final))  # folds constants now, not at every start
        onnx.save_model(
            onnx.load(str(final)), str(folder / MODEL_FILE), save_as_external_data=True, location=_WEIGHTS_FILE,
            size_threshold=_LARGE,
        )  # fmt: skip
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as error:
        raise Unsuited(f"it cannot be exported ({type(error).__name__}: {str(error).splitlines()[:1]})") from error
    finally:
        for path in (traced, fused, final):
            path.unlink(missing_ok=True)


def _trace(transformer: Any, path: Path) -> None:
    import torch

    class Rows(torch.nn.Module):
        """One text in, a row a token out: without padding there is nothing to mask."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = transformer

        def forward(self, input_ids: Any) -> Any:
            return self.inner(input_ids=input_ids).last_hidden_state

    axes = {0: "text", 1: "token"}
    example = torch.ones(1, 16, dtype=torch.long)
    torch.onnx.export(
        Rows().eval(), (example,), str(path), input_names=["input_ids"], output_names=["rows"],
        dynamic_axes={"input_ids": axes, "rows": axes}, dynamo=False, opset_version=_OPSET,
    )  # fmt: skip


def _differs(model: OnnxModel, reference: SentenceTransformersEncoder, arithmetic: Arithmetic) -> str | None:
    """In what the prepared model differs too much from sentence-transformers on sample texts; None where it does not."""
    ours, theirs = model.encode_documents(SAMPLES), reference.encode_documents(SAMPLES)
    cosine = float((ours * theirs).sum(axis=1).min())
    likeness = float(np.corrcoef(_similarities(ours), _similarities(theirs))[0, 1])
    log.debug("%s: least cosine to the reference %.5f, correlation of similarities %.5f", arithmetic, cosine, likeness)
    if cosine >= _LEAST_COSINE[arithmetic] and likeness >= _LEAST_LIKENESS[arithmetic]:
        return None
    return f"in {arithmetic} its vectors are not those of sentence-transformers (cosine {cosine:.4f}, ranking {likeness:.4f})"


def _similarities(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return (rows @ rows.T)[np.triu_indices(len(rows), 1)]


@contextmanager
def _silent() -> Iterator[None]:
    """Exporters tell much that is of no use to who waits."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
