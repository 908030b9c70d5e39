"""The bundled model is prepared, and does all that it is for, where torch and sentence-transformers are not installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import SAMPLE_DATA
from tests.encoders.make_reference_vectors import compute_reference_vectors
from vecsearch.core.onnx_runtime import load_runtime
from vecsearch.encoders import model_files, registry
from vecsearch.encoders.base import MiddleTokenEncoder
from vecsearch.encoders.bert_graph import build_graph, read_weights
from vecsearch.encoders.bundled_source import BundledModelSource
from vecsearch.encoders.model_files import BUNDLED_MODEL, ComputePrecision
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder

WITHOUT_TORCH = """
import sys
for name in ("torch", "transformers", "sentence_transformers", "huggingface_hub", "sklearn", "safetensors", "joblib"):
    sys.modules[name] = None
from vecsearch.encoders import auto
from vecsearch.interfaces.cli.main import run
auto._GPU_DEVICE = auto.Path(sys.executable)  # as where there is a GPU
for command in sys.stdin.read().splitlines():
    sys.argv = ["vecsearch", *command.split()]
    print("STATUS", command, run(), flush=True)
"""


def test_everything_works_without_torch(tmp_path: Path) -> None:
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\tdocs/central-banks.txt\t1\n")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "a place that lends money"}\n')
    shutil.copytree(SAMPLE_DATA / "docs/finance", tmp_path / "docs")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text('{"model_type": "bert"}')
    fine = [
        "index docs", "search interest --mode dense --json", "search money --explain --rerank",
        "similar --text money", "eval --queries queries.jsonl --qrels qrels.tsv", "models", "status", "doctor",
    ]  # fmt: skip
    refused = [
        "index qrels.tsv -c other --model other",
        "index qrels.tsv -c hub --model some/model",
        "search money --rerank=other",
    ]
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], input="\n".join([*fine, *refused]), cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "VECSEARCH_CACHE": str(tmp_path / "cache"), "COLUMNS": "400"}, check=False,
    )  # fmt: skip
    statuses = [line for line in result.stdout.splitlines() if line.startswith("STATUS")]
    expected = [f"STATUS {command} 0" for command in fine] + [f"STATUS {command} 1" for command in refused]
    assert statuses == expected, result.stdout + result.stderr
    hits = json.JSONDecoder().raw_decode(result.stdout, result.stdout.index("{\n"))[0]["hits"]
    assert hits[0]["id"] == "docs/compound-interest.md"
    assert len(list((tmp_path / "cache/models").glob("*-3/model.onnx"))) == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == len(refused)
    assert all(error.endswith("is not installed; pip install sentence-transformers") for error in errors), errors


@pytest.mark.slow
def test_the_stored_reference_is_what_sentence_transformers_makes() -> None:
    stored = BundledModelSource(model_files.find_model_folder(BUNDLED_MODEL)).compute_reference_vectors()
    assert (stored * compute_reference_vectors()).sum(axis=1).min() >= 0.9999
    config = SentenceTransformersEncoder(BUNDLED_MODEL).build_model_config()
    assert BundledModelSource(model_files.find_model_folder(BUNDLED_MODEL)).build_model_config() == config


def test_middle_layers_are_outputs_on_request(tmp_path: Path) -> None:
    """Each layer's rows, against the model as torch computes it."""
    import torch

    folder = model_files.find_model_folder(BUNDLED_MODEL)
    session = load_runtime().InferenceSession(build_graph(folder, layer_outputs=[4, 6]).SerializeToString())
    ids = np.array([[101, 5376, 2058, 1037, 8638, 102]])
    rows, fourth, sixth = session.run(["rows", "layer_4", "layer_6"], {"input_ids": ids})
    with torch.no_grad():
        model = SentenceTransformersEncoder(BUNDLED_MODEL).get_transformer()
        states = model(input_ids=torch.from_numpy(ids), output_hidden_states=True).hidden_states
    assert fourth == pytest.approx(states[4].numpy(), abs=1e-4)
    assert rows == pytest.approx(states[6].numpy(), abs=1e-4)
    assert np.array_equal(rows, sixth)
    assert [output.name for output in build_graph(folder).graph.output] == ["rows"]
    with pytest.raises(ValueError, match="layers go from 1 to 6, got 7"):
        build_graph(folder, layer_outputs=[7])


@pytest.mark.parametrize(("precision", "least"), [(ComputePrecision.FLOAT32, 0.9999), (ComputePrecision.INT8, 0.97)])
def test_the_prepared_model_shows_its_fourth_layer_in_a_graph_of_its_own(precision: ComputePrecision, least: float) -> None:
    import torch

    prepared = registry.load(None, precision)
    assert isinstance(prepared, MiddleTokenEncoder)
    (tokens,) = prepared.encode_middle_tokens(["A bank of the river, and a bank with money"])
    ids = SentenceTransformersEncoder(BUNDLED_MODEL)._model.tokenizer("A bank of the river, and a bank with money")["input_ids"]
    with torch.no_grad():
        model = SentenceTransformersEncoder(BUNDLED_MODEL).get_transformer()
        states = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[4][0].numpy()
    cosines = (tokens.rows * states).sum(axis=1) / np.linalg.norm(tokens.rows, axis=1) / np.linalg.norm(states, axis=1)
    assert cosines.min() >= least
    assert [list(span) for span in tokens.spans[:3]] == [[0, 0], [0, 1], [2, 6]]


def test_a_model_of_another_make_is_refused(tmp_path: Path) -> None:
    config = json.loads((model_files.find_model_folder(BUNDLED_MODEL) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    with pytest.raises(ValueError, match="a BERT with gelu and absolute positions was expected, got bert, relu, absolute"):
        build_graph(tmp_path)


def test_weights_are_read_as_they_were_written(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    tensors: dict[str, NDArray[Any]] = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.ones((4,), np.float32),
        "ids": np.arange(3),
    }
    save_file(tensors, tmp_path / "w.safetensors")
    weights = read_weights(tmp_path / "w.safetensors")
    assert {name: values.tolist() for name, values in weights.items()} == {name: tensors[name].tolist() for name in ("a", "b")}
