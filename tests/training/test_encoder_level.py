"""The encoder level: a copy of the model is trained offline, proved, and left in a folder of its own, or nowhere."""

from __future__ import annotations

import csv
import json
import re
import socket
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.fakes import StopAt
from vecsearch.encoders.model_files import BUNDLED_MODEL, compute_fingerprint, find_model_folder
from vecsearch.training import encoder_training, proof
from vecsearch.training.encoder_run import RECORD_FILE
from vecsearch.training.encoder_training import TextPair

LABELS = {
    "birds": "heron crane owl swan goose eagle", "boats": "ship ferry canoe yacht raft barge",
    "bread": "dough flour yeast loaf oven crust", "money": "loan bank credit coin debt fund",
    "trees": "oak pine birch maple willow elm", "tools": "hammer saw drill wrench chisel pliers",
    "music": "violin flute drum cello harp choir", "skies": "planet comet star moon orbit nova",
}  # fmt: skip
INTENTS = re.compile("pending_|declined_|failed_|balance_not_updated|transfer_not_received|reverted_")
FILLERS = "the a of with near and by on in for".split()
needs_packages = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("accelerate", "datasets")),
    reason="the extra [tune] (accelerate, datasets) is not installed",
)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one small layer with random weights, and the bundled model's tokenizer: quick to train."""
    pytest.importorskip("sentence_transformers")
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    place = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30_522, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        initializer_range=0.5,
    )  # fmt: skip
    BertModel(config).save_pretrained(place / "bert")
    AutoTokenizer.from_pretrained(find_model_folder(BUNDLED_MODEL)).save_pretrained(place / "bert")
    transformer = Transformer(str(place / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu").save(str(place / "model"), create_model_card=False)
    return place / "model"


def fill(collection: vecsearch.Collection) -> None:
    random = Random(0)
    texts, labels = [], []
    for label, words in LABELS.items():
        for _ in range(24):
            chosen = random.sample(words.split(), 2) + random.sample(FILLERS, 2)
            random.shuffle(chosen)
            texts.append(" ".join(chosen))
            labels.append({"label": label})
    collection.add(texts, ids=[f"t{n}" for n in range(len(texts))], metadatas=labels)


def tune(collection: vecsearch.Collection, out: Path, **options: Any) -> vecsearch.Tuning:
    return collection.tune(label="label", level="encoder", out=out, **{"mode": "dense", **options})


def test_without_the_packages_it_is_said_how_to_install_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with vecsearch.open(tmp_path / "t.vec") as collection:
        collection.add(["a heron"])
        with pytest.raises(vecsearch.UnavailableError, match=r"accelerate is not installed; pip install accelerate"):
            tune(collection, tmp_path / "model")


@pytest.mark.slow
@needs_packages
def test_a_trained_model_is_kept_with_its_record_and_embeds_the_collection(
    shared: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages of customers about what is pending, declined or failed, which are hard to tell apart."""
    with (shared("banking77") / "train.tsv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if INTENTS.match(row["label"])]
    Random(0).shuffle(rows)

    def refuse(*args: object) -> None:
        raise AssertionError("nobody is to be asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(proof, "judge", lambda *_: (True, "a gain"))  # so few texts prove none; see the benchmark
    lines_shown: list[str] = []
    with vecsearch.open(tmp_path / "t.vec") as collection:
        collection.add([row["text"] for row in rows[:220]], metadatas=[{"label": row["label"]} for row in rows[:220]])
        tuning = tune(collection, tmp_path / "new", progress=lines_shown.append, reembed=True)
        assert tuning.kept, tuning
        asked_before, new = tuning.asked_before, tuning.new_documents
        assert asked_before is not None and new is not None and tuning.by_label
        assert tuning.similarity_kept is not None and tuning.similarity_kept > 0.8
        assert tuning.model == tmp_path / "new" and tuning.reembedded and collection.model == str(tmp_path / "new")
    record = json.loads((tmp_path / "new" / RECORD_FILE).read_text())
    assert record["asked_before"]["gain"] == asked_before.gain and record["seed"] == 0
    assert record["questions_sha256"].startswith("sha256:") and {"torch", "datasets"} <= record["versions"].keys()
    assert compute_fingerprint(tmp_path / "new") != compute_fingerprint(find_model_folder(BUNDLED_MODEL))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "t.vec"]
    assert any(line.startswith("training: step 2 of ") for line in lines_shown)


@needs_packages
def test_the_same_seed_gives_the_same_model(tiny_model: Path, tmp_path: Path) -> None:
    pairs = [TextPair(f"{word} the", f"of {word}", frozenset([word])) for words in LABELS.values() for word in words.split()]
    for name, seed in (("first", 0), ("second", 0), ("other", 1)):
        encoder_training.train_encoder(
            tiny_model, tmp_path / name, pairs, pairs[:5], seed=seed, should_end=lambda: False, progress=lambda line: None
        )
    first, second, other = (compute_fingerprint(tmp_path / name) for name in ("first", "second", "other"))
    assert first == second and other not in (first, compute_fingerprint(tiny_model))
    assert encoder_training.choose_epochs(48) == 3


@needs_packages
@pytest.mark.parametrize("how", ["dry run", "stopped", "interrupted", "no gain"])
def test_what_is_not_kept_leaves_nothing(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    def interrupt(line: str) -> None:
        if how == "interrupted" and line.startswith("training: step 3 "):
            raise KeyboardInterrupt

    options: dict[str, Any] = {"progress": interrupt, "dry_run": how == "dry run"}
    if how == "stopped":
        options["should_stop"] = StopAt(12)
    if how == "no gain":
        monkeypatch.setattr(encoder_training, "RATE_SMALL", 0.0)
    with vecsearch.open(tmp_path / "t.vec", model=str(tiny_model)) as collection:
        fill(collection)
        model, rows = collection.model, collection.embed(["a heron by the canoe"])
        if how == "interrupted":
            with pytest.raises(KeyboardInterrupt):
                tune(collection, tmp_path / "new", **options)
        else:
            tuning = tune(collection, tmp_path / "new", **options)
            assert tuning.model is None and (not tuning.kept or tuning.dry_run)
        assert collection.model == model and np.array_equal(collection.embed(["a heron by the canoe"]), rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.vec"]


@needs_packages
def test_a_folder_that_is_there_is_not_written_over(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with vecsearch.open(tmp_path / "t.vec", model=str(tiny_model)) as collection:
        fill(collection)
        with pytest.raises(vecsearch.InputError, match="is there already: name another folder"):
            tune(collection, tmp_path / "new")
        with pytest.raises(vecsearch.InputError, match="there is no folder"):
            tune(collection, tmp_path / "nowhere/new")
