"""Models of text and pictures, or text and sound, by sentence-transformers: tiny ones with random weights, built here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vecsearch.core.errors import UnavailableError
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformersEncoder:
    """Build a CLIP of some ten thousand random weights."""
    pytest.importorskip("PIL.Image", reason="pip install pillow")
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    folder = tmp_path_factory.mktemp("clip")
    characters = [chr(code) for code in range(33, 127)]
    tokens = [*characters, *(f"{character}</w>" for character in characters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"vocab_size": len(tokens), "eos_token_id": len(tokens) - 1, "bos_token_id": len(tokens) - 2}
    text = {**size, **ends, "max_position_embeddings": 77}
    vision = {**size, "image_size": 32, "patch_size": 16}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12))
    model.save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return SentenceTransformersEncoder(str(folder))


def test_texts_and_pictures_have_one_space(clip: SentenceTransformersEncoder) -> None:
    from PIL import Image

    assert clip.modalities == {"text", "image"} and clip.dimension == 12 and 60 <= clip.max_tokens <= 77
    texts, pictures = (
        clip.encode_documents(["a heron", "a crane"]),
        [Image.new("RGB", (40, 30), color) for color in ("red", "blue")],
    )
    rows = clip.encode_images(pictures)
    assert texts.shape == rows.shape == (2, 12) and np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert np.allclose(clip.encode_images(pictures[1:]), rows[1:], atol=1e-5)
    assert clip.encode_images([]).shape == (0, 12)
    with pytest.raises(UnavailableError, match="encodes image and text, no audio"):
        clip.encode_audio([np.zeros(16_000, np.float32)], sample_rate=16_000)


def test_a_text_that_is_a_path_or_an_address_is_a_text(clip: SentenceTransformersEncoder, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "a.png"
    Image.new("RGB", (40, 30), "red").save(path)
    before = clip.encode_documents([str(path)])
    Image.new("RGB", (40, 30), "blue").save(path)
    assert np.allclose(clip.encode_documents([str(path)]), before, atol=1e-6)
    path.unlink()
    assert np.allclose(clip.encode_queries([str(path)]), before, atol=1e-6)
    addresses: list[Any] = ["http://127.0.0.1:9/a.png", "data:image/png;base64,AAAA"]
    assert clip.encode_documents(addresses).shape == (2, 12)
