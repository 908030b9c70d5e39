"""`tune` of the encoder itself: train a copy, prove it on the whole collection, and leave it in a folder of its own, or not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vecsearch.core.errors import InputError, StorageError, UnavailableError, wrap_write_error
from vecsearch.core.tuning import Tuning
from vecsearch.encoders.auto import AutoEncoder
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.model_files import ComputePrecision, find_model_folder
from vecsearch.encoders.onnx_export import remove_prepared_models
from vecsearch.encoders.picture_vectors import encode_documents
from vecsearch.stores.base import Matrix, Snapshot
from vecsearch.training import proof
from vecsearch.training.encoder_training import TextPair, require_packages, train_encoder
from vecsearch.training.general_texts import load_general_texts
from vecsearch.training.judged_questions import JudgedQuestion
from vecsearch.training.new_vectors import encode_snapshot, read_inputs
from vecsearch.training.pairs import build_pairs
from vecsearch.training.question_split import QuestionSplit
from vecsearch.training.record import build_record

if TYPE_CHECKING:
    from vecsearch.training.tune_run import QuestionReader, TuneRun

RECORD_FILE: Final = "tuning.json"  # in the model's folder; it is no part of its fingerprint
_PACKAGES: Final = ("sentence-transformers", "transformers", "torch", "accelerate", "datasets")


def tune_encoder(run: TuneRun, read_questions: QuestionReader) -> Tuning:
    """Train, prove, keep. Raises UnavailableError where a package is not installed, InputError where the folder is there."""
    require_packages()
    with run.open_snapshot() as snapshot:
        info = snapshot.info
        folder, out = _find_folder(info.encoder.model, run.encoder), _choose_out(run)
        questions, split = run.split(snapshot, read_questions)
        training = _list_pairs(run, snapshot, split.training, split)
        dev = _list_pairs(run, snapshot, (*split.dev, *split.dev_new), split)
    with _make_workplace(out) as model:
        train_encoder(
            folder, model, training, dev, seed=run.options.seed, should_end=run.should_end, progress=run.progress
        )  # fmt: skip
        encoder = AutoEncoder(str(model), _get_precision(run.encoder))
        with run.open_snapshot() as snapshot:
            run.check_same(info, snapshot.info)
            tuning = _prove(run, snapshot, encoder, questions, split, len(training))
        if tuning.kept and not run.options.dry_run:
            _keep(model, out, build_record(tuning, questions, split, *_PACKAGES))
            tuning = replace(tuning, model=out)
    return replace(tuning, seconds=run.measure_seconds())


@contextmanager
def _make_workplace(out: Path) -> Iterator[Path]:
    """Make a hidden folder beside `out`, and yield where in it the model goes; what is in it at the end is removed."""
    try:
        workplace = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise _explain(out, error) from error
    model = workplace / out.name
    try:
        yield model
    finally:
        if model.is_dir():
            remove_prepared_models(model)
        shutil.rmtree(workplace, ignore_errors=True)


def _keep(model: Path, out: Path, record: dict[str, Any]) -> None:
    """Write how a model came about into its folder, and give that its place, in one step."""
    try:
        (model / RECORD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        model.rename(out)
    except OSError as error:
        raise _explain(out, error) from error


def _explain(out: Path, error: OSError) -> StorageError:
    return wrap_write_error(f"the new encoder cannot be written to {out}", error)


def _get_precision(encoder: TextEncoder) -> ComputePrecision | None:
    """Return in which precision an encoder computes; None where it does not say."""
    precision = getattr(encoder, "compute_precision", None)
    return precision if isinstance(precision, ComputePrecision) else None


def _find_folder(name: str, encoder: TextEncoder) -> Path:
    if not isinstance(encoder, AutoEncoder):
        raise UnavailableError(
            f"the encoder {name!r} is an object of your own: only a model in files can be trained; level='map'"
        )
    if encoder.modalities != {"text"}:
        raise UnavailableError(
            f"the model {name} encodes {' and '.join(sorted(encoder.modalities))}: only one of text can be trained"
        )
    return find_model_folder(name)


def _choose_out(run: TuneRun) -> Path:
    out = run.options.out or Path.cwd() / f"tuned-{run.name}"
    if out.exists() or out.is_symlink():
        raise InputError(f"{out} is there already: name another folder for the new encoder (out, or --out DIR)")
    if not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent} for the new encoder; make it, or name another (out, or --out DIR)")
    return out


def _list_pairs(run: TuneRun, snapshot: Snapshot, questions: Sequence[JudgedQuestion], split: QuestionSplit) -> list[TextPair]:
    """Return pairs of questions and the chunks that answer them, as the encoder sees them."""
    pairs = build_pairs(snapshot, questions, run.encode(questions), held=split.list_held_documents(), seed=run.options.seed)
    run.stop.check()
    ids = np.unique(pairs.positive).tolist()
    texts = dict(zip(ids, read_inputs(snapshot, ids, run.encoder), strict=True))
    return [
        TextPair(questions[number].text, texts[chunk], questions[number].topics)
        for number, chunk in zip(pairs.question.tolist(), pairs.positive.tolist(), strict=True)
    ]


def _prove(
    run: TuneRun, snapshot: Snapshot, encoder: TextEncoder, questions: Sequence[JudgedQuestion], split: QuestionSplit, pairs: int
) -> Tuning:
    from vecsearch.training.tune_run import OWN_TEXTS, PARTS

    renewed = encode_snapshot(snapshot, encoder, check=run.stop.check, progress=run.progress)
    old, new = ({part: run.encode(getattr(split, part), by) for part in PARTS} for by in (run.encoder, encoder))
    before, after = run.measure(snapshot, split, old), run.measure(renewed, split, new)
    own = snapshot.sample_chunks(OWN_TEXTS).tolist()
    general = [encode_documents(by, list(load_general_texts())) for by in (run.encoder, encoder)]
    similarities = (_correlate(*general), _correlate(snapshot.load_vectors(own), renewed.load_vectors(own)))
    return run.judge(questions, pairs, before, after, similarities)


def _correlate(before: Matrix, after: Matrix) -> float:
    return proof.correlate_similarities(before @ before.T, after @ after.T)
