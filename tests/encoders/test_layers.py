"""Every layer and every attention map is what transformers computes, without torch for a BERT and by torch for other models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.encoders.test_bundled_model import WITHOUT_TORCH
from vecsearch.encoders import model_files, registry
from vecsearch.encoders.bert_forward import BertForward, compute_erf
from vecsearch.encoders.bert_layers import BertLayerModel
from vecsearch.encoders.layers import LayerModel
from vecsearch.encoders.model_config import Pooling
from vecsearch.encoders.model_files import BUNDLED_MODEL
from vecsearch.encoders.torch_layers import TorchLayerModel

EXACT = 1e-5
TEXTS = [
    "The fashion model walked the runway",
    "a",
    "naïve cafe\u0301 👩\u200d👩\u200d👧 ❤️ 東京は日本の首都です",
    "word " * 300,  # cut at 256 tokens
    "In 1986, lift-to-drag (L/D) ratios of 12.5:1 were measured; see §4.2. " * 20,
    "x" * 3000,
    "العربية עברית हिन्दी ไทย 한국어 \u0000 \t\n !?!?",
]


@pytest.fixture(scope="module")
def eager() -> Any:
    """Load the bundled model as transformers does, with attention spelled out."""
    from transformers import AutoModel

    folder = model_files.find_model_folder(BUNDLED_MODEL)
    return AutoModel.from_pretrained(folder, attn_implementation="eager", local_files_only=True)


def compute_with_transformers(model: Any, ids: Any) -> list[Any]:
    import torch

    with torch.no_grad():
        output = model(input_ids=torch.from_numpy(ids[np.newaxis]), output_hidden_states=True, output_attentions=True)
    return [np.stack([layer[0].numpy() for layer in layers]) for layers in (output.hidden_states, output.attentions)]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_every_layer_and_every_map_is_that_of_transformers(text: str, eager: Any) -> None:
    model = registry.load_layer_model(None)
    assert isinstance(model, BertLayerModel)
    ids = model.tokenize(text).ids
    outputs = model.run(ids)
    rows, attention = compute_with_transformers(eager, ids)
    assert outputs.rows.shape == rows.shape == (7, len(ids), 384)
    assert outputs.attention.shape == attention.shape == (6, 12, len(ids), len(ids))
    assert np.abs(outputs.rows - rows).max() <= EXACT
    assert np.abs(outputs.attention - attention).max() <= EXACT


@pytest.mark.parametrize("text", TEXTS[:5], ids=range(5))
def test_the_vector_is_that_of_the_encoder(text: str) -> None:
    vector = registry.load_layer_model(None).encode_text(text)
    expected = registry.load(None, model_files.ComputePrecision.FLOAT32).encode_documents([text])[0]
    assert float(vector @ expected) >= 0.99999


def test_the_error_function_is_exact_to_seven_digits() -> None:
    from scipy.special import erf

    values = np.linspace(-6, 6, 10_001, dtype=np.float32)
    assert np.abs(compute_erf(values) - erf(values.astype(np.float64))).max() < 2e-7


@pytest.fixture(scope="module")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make folders of sentence models with random weights and the tokenizer of the bundled model."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling as PoolingModule
    from sentence_transformers.sentence_transformer.modules import Transformer

    def make(inner: Any, pooling: str, document_prompt: str = "") -> Path:
        source, folder = tmp_path_factory.mktemp("inner"), tmp_path_factory.mktemp("model")
        inner.save_pretrained(source)
        bundled = model_files.find_model_folder(BUNDLED_MODEL)
        for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
            shutil.copy(bundled / name, source)
        modules = [Transformer(str(source), max_seq_length=40), PoolingModule(32, pooling)]
        SentenceTransformer(modules=modules, prompts={"document": document_prompt}, device="cpu").save(str(folder))
        return folder

    return make


def make_bert(activation: str) -> Any:
    from transformers import BertConfig, BertModel

    return BertModel(
        BertConfig(
            vocab_size=30522, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64,
            hidden_act=activation, max_position_embeddings=64, layer_norm_eps=1e-5, initializer_range=0.3,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("activation", "pooling", "prompt"),
    [("gelu_new", "cls", "passage: "), ("relu", "mean", ""), ("silu", "mean", "text: "), ("gelu", "cls", "")],
)
def test_a_bert_of_any_make_is_what_torch_makes_of_it(
    activation: str, pooling: str, prompt: str, make_model: Callable[..., Path]
) -> None:
    folder = make_model(make_bert(activation), pooling, prompt)
    ours, theirs = registry.load_layer_model(str(folder)), TorchLayerModel(str(folder))
    assert isinstance(ours, BertLayerModel)
    text = "The fashion model walked " * 20
    assert_same_model(ours, theirs, text)
    assert ours.get_pooling() is theirs.get_pooling() is (Pooling.FIRST if pooling == "cls" else Pooling.MEAN)
    assert np.abs(ours.encode_text(text) - theirs.encode_text(text)).max() <= EXACT
    assert sum(span is None for span in ours.tokenize("a model").spans) == 2 + len(prompt.split()) + prompt.count(":")


def assert_same_model(ours: LayerModel, theirs: LayerModel, text: str) -> None:
    tokens, others = ours.tokenize(text), theirs.tokenize(text)
    assert tokens.ids.tolist() == others.ids.tolist() and len(tokens.ids) == 40
    assert (tokens.pieces, tokens.spans, tokens.words) == (others.pieces, others.spans, others.words)
    assert tokens.cut_tokens == others.cut_tokens > 0
    a, b = ours.run(tokens.ids), theirs.run(tokens.ids)
    assert np.abs(a.rows - b.rows).max() <= EXACT
    assert np.abs(a.attention - b.attention).max() <= EXACT


def test_another_model_is_read_by_torch(make_model: Callable[..., Path]) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(vocab_size=30522, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=64)
    folder = make_model(DistilBertModel(config), "mean")
    inspection = vecsearch.inspect("a bank of the river", model=str(folder))
    assert inspection.layers.shape == (3, 7, 32)
    assert inspection.attention.shape == (2, 2, 7, 7)
    assert inspection.attention.sum(axis=-1) == pytest.approx(np.ones((2, 2, 7)), abs=1e-5)
    expected = vecsearch.load_encoder(str(folder)).encode_documents(["a bank of the river"])[0]
    assert float(inspection.vector @ expected) >= 0.9999
    assert sum(token.share or 0 for token in inspection.tokens) == pytest.approx(1, abs=1e-6)
    assert inspection.typical_correlation is None


def test_a_model_that_torch_must_read_is_refused_without_it(make_model: Callable[..., Path], tmp_path: Path) -> None:
    bert = make_model(make_bert("gelu"), "mean")
    other = tmp_path / "other"
    shutil.copytree(bert, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "position_embedding_type": "relative_key"}))
    commands = [f"inspect bank --model {bert}", f"inspect bank --model {other}", "inspect bank"]
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], input="\n".join(commands), capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "COLUMNS": "400"}, check=False,
    )  # fmt: skip
    statuses = [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("STATUS")]
    assert statuses == ["0", "1", "0"], result.stdout + result.stderr
    assert "which is not installed; pip install sentence-transformers" in result.stderr


def test_a_damaged_model_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_files.find_model_folder(BUNDLED_MODEL), folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1_000_000)
    with pytest.raises(ValueError, match=r"cannot reshape|buffer is smaller|size changed"):
        BertForward(folder)
    with pytest.raises(vecsearch.UnavailableError, match="cannot be loaded"):
        vecsearch.inspect("a bank", model=str(folder))
