"""Models of the named kinds with a few thousand random weights, built in a folder as their authors publish them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

_CHARACTERS: Final = [chr(code) for code in range(33, 127)]
_SIZE: Final[dict[str, Any]] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def build_clip(folder: Path, seed: int = 26) -> Path:
    """Build a CLIP: text (77 tokens) and pictures."""
    pytest.importorskip("PIL.Image", reason="pip install pillow")
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    tokens = [*_CHARACTERS, *(f"{character}</w>" for character in _CHARACTERS), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)
    ends = {"vocab_size": len(tokens), "eos_token_id": len(tokens) - 1, "bos_token_id": len(tokens) - 2}
    text = {**_SIZE, **ends, "max_position_embeddings": 77}
    vision = {**_SIZE, "image_size": 32, "patch_size": 16}
    _seed(seed)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder


def build_siglip(folder: Path) -> Path:
    """Build a SigLIP: text (64 tokens) and pictures."""
    pytest.importorskip("PIL.Image", reason="pip install pillow")
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipProcessor

    vision = {**_SIZE, "image_size": 32, "patch_size": 16}
    text = {
        **_SIZE,
        "vocab_size": 200,
        "max_position_embeddings": 64,
        "projection_size": 16,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }
    _seed()
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    images = SiglipImageProcessor(size={"height": 32, "width": 32})
    SiglipProcessor(images, _make_tokenizer(64, ends=False)).save_pretrained(folder)
    return folder


def build_clap(folder: Path) -> Path:
    """Build a CLAP: text and sound of 48 kHz."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor

    text = {**_SIZE, "vocab_size": 200, "max_position_embeddings": 80, "projection_dim": 12, "pad_token_id": 1}
    audio: dict[str, Any] = {
        "patch_embeds_hidden_size": 8, "hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "num_hidden_layers": 2,
        "window_size": 8, "spec_size": 256, "num_mel_bins": 64, "patch_size": 4, "projection_dim": 12, "num_classes": 4,
        "enable_fusion": False,
    }  # fmt: skip
    _seed()
    ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=12)).save_pretrained(folder)
    sounds = ClapFeatureExtractor(feature_size=64, truncation="rand_trunc", padding="repeatpad")
    ClapProcessor(sounds, _make_tokenizer(77)).save_pretrained(folder)
    return folder


def build_embedding_gemma(folder: Path) -> Path:
    """Build an EmbeddingGemma: a Gemma 3 text model as a folder of sentence-transformers, with its prompts."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Transformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
    from transformers import Gemma3TextConfig, Gemma3TextModel

    inner = folder.with_name(f"{folder.name}-transformer")
    config = Gemma3TextConfig(
        vocab_size=200, head_dim=8, num_key_value_heads=1, max_position_embeddings=128, sliding_window=32,
        use_bidirectional_attention=True, **_SIZE,
    )  # fmt: skip
    _seed()
    Gemma3TextModel(config).save_pretrained(inner)
    _make_tokenizer(128).save_pretrained(inner)
    transformer = Transformer(str(inner), max_seq_length=128)
    modules = [transformer, Pooling(16, "mean"), Dense(16, 32, bias=False), Dense(32, 16, bias=False), Normalize()]
    prompts = {"query": "task: search result | query: ", "document": "title: none | text: "}
    SentenceTransformer(modules=modules, prompts=prompts).save(str(folder))
    return folder


def _make_tokenizer(window: int, *, ends: bool = True) -> Any:
    """Make a fast tokenizer that knows single characters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokens = {token: number for number, token in enumerate([*special, *_CHARACTERS, " "])}
    tokenizer = Tokenizer(models.BPE(tokens, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>" if ends else "$A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_max_length=window,
    )  # fmt: skip


def _seed(seed: int = 26) -> None:
    import torch

    torch.manual_seed(seed)
