"""Any model that sentence-transformers loads, its prompts on the right side. Loads torch at the first encoding, not before."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import UnavailableError
from vecsearch.core.forks import check_usable, make_lock
from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.settings import ENCODER_BATCH_SIZE
from vecsearch.core.token_counter import TokenCounter
from vecsearch.encoders import model_files, model_safety
from vecsearch.encoders.base import Matrix, TokenRows
from vecsearch.encoders.model_config import ModelConfig, Pooling

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_SOUND_SECONDS: Final = 10
_FIXED_WINDOW: Final = ("siglip", "siglip2")
_loading_lock: Final = make_lock()  # two at once would put back what the other has set


class SentenceTransformersEncoder:
    """An `TextEncoder` over one model folder. Making one checks that the files are there; the model loads when first needed."""

    def __init__(self, name: str, *, device: str = "cpu") -> None:
        """Load the bundled model, one of the hub, or that of a folder, on torch's `device`. Raises UnavailableError."""
        self.name = model_files.normalize_model_name(name)
        self._folder, self._device = model_files.find_model_folder(self.name), device

    @lazy_property
    def fingerprint(self) -> str:
        """Return the fingerprint of the model's files."""
        return model_files.compute_fingerprint(self._folder)

    @lazy_property
    def dimension(self) -> int:
        """Return the length of a vector."""
        size = self._model.get_embedding_dimension()
        if size is None:
            raise UnavailableError(f"the model {self.name} gives no sentence vectors; choose a sentence-transformers model")
        return int(size)

    @lazy_property
    def max_tokens(self) -> int:
        """Return the window without special tokens and the document prompt."""
        specials: int = self._model.tokenizer.num_special_tokens_to_add()
        return max(1, self._window - specials - len(self.token_spans(self._document_prompt)))

    @property
    def _window(self) -> int:
        window = self._model.max_seq_length
        return min(int(getattr(self._model.tokenizer, "model_max_length", 512) if window is None else window), 8192)

    def token_spans(self, text: str) -> Sequence[tuple[int, int]]:
        """Return the fast tokenizer's offsets; a model without one counts characters."""
        if not text:
            return []
        tokenizer = self._tokenizer
        if tokenizer is None:
            return _estimate_spans(text)
        spans: list[tuple[int, int]] = tokenizer.encode(text, add_special_tokens=False).offsets
        return spans

    def count_tokens(self, text: str) -> int:
        """Return how many `token_spans` a text has."""
        return len(_estimate_spans(text)) if self._token_counter is None else self._token_counter.count(text)

    def token_starts(self, text: str) -> NDArray[np.int64] | None:
        """Return where each token of a text begins, or its word does; None where words do not tell."""
        return None if self._token_counter is None else self._token_counter.find_starts(text)

    def encode_documents(self, texts: Sequence[str]) -> Matrix:
        """Encode documents, with the model's document prompt, if it has one."""
        return self._encode(self._model.encode_document, texts)

    def encode_queries(self, texts: Sequence[str]) -> Matrix:
        """Encode queries, with the model's query prompt, if it has one."""
        return self._encode(self._model.encode_query, texts)

    @lazy_property
    def pools_by_mean(self) -> bool:
        """Return whether pooling is the plain mean and nothing but normalisation comes after it."""
        kinds = [type(module).__name__ for module in self._model]
        pooling = next((module for module in self._model if type(module).__name__ == "Pooling"), None)
        return kinds[1:] in (["Pooling"], ["Pooling", "Normalize"]) and _is_mean_pooling(pooling)

    def encode_tokens(self, texts: Sequence[str], *, is_query: bool = False) -> list[TokenRows]:
        """Encode the tokens of texts, with the prompt of that side, whose tokens stand for no character of the text."""
        prompt = self._query_prompt if is_query else self._document_prompt
        rows = self._model.encode(
            [prompt + text for text in texts],
            output_value="token_embeddings",
            batch_size=ENCODER_BATCH_SIZE,
            show_progress_bar=False,
        )
        return [
            TokenRows(self._compute_token_spans(prompt, text, len(token_rows)), np.asarray(token_rows.numpy(), np.float32))
            for text, token_rows in zip(texts, rows, strict=True)
        ]

    def encode_middle_tokens(self, texts: Sequence[str]) -> list[TokenRows]:
        """Encode the tokens of texts as documents: what lies between the layers of a model is not asked for here."""
        return self.encode_tokens(texts)

    def _compute_token_spans(self, prompt: str, text: str, tokens: int) -> NDArray[np.int64]:
        """Return the character range of each token; an empty one for special ones, the prompt's, and where that is not known."""
        if self._tokenizer is None:
            return np.zeros((tokens, 2), np.int64)
        encoding = self._tokenizer.encode(prompt + text, add_special_tokens=True)
        spans = np.array(encoding.offsets, np.int64).reshape(-1, 2)[:tokens]
        special = np.array(encoding.special_tokens_mask, bool)[:tokens]
        special[-1] |= len(encoding.offsets) > tokens  # a text that was cut ends with a special token all the same
        spans[special] = 0
        return np.maximum(spans - np.where(special, 0, len(prompt))[:, np.newaxis], 0)

    @lazy_property
    def modalities(self) -> frozenset[str]:
        """Return what the model encodes into one space: "text", and for some "image" or "audio"."""
        return frozenset(getattr(self._model, "modalities", None) or ("text",))

    def encode_images(self, images: Sequence[Any]) -> Matrix:
        """Return (len(images), dimension) float32 rows of length 1 of pictures of Pillow. Raises UnavailableError."""
        self._require("image")
        return self._encode_inputs(self._model.encode, [{"image": image} for image in images])

    def encode_audio(self, sounds: Sequence[NDArray[np.float32]], *, sample_rate: int) -> Matrix:
        """Return (len(sounds), dimension) float32 rows of length 1 of mono sounds, of each its first ten seconds.

        Models cut a longer one at a place that they choose by chance. Raises UnavailableError.
        """
        self._require("audio")
        most = _SOUND_SECONDS * sample_rate
        inputs = [{"audio": {"array": np.asarray(sound[:most], np.float32), "sampling_rate": sample_rate}} for sound in sounds]
        return self._encode_inputs(self._model.encode, inputs)

    def _require(self, modality: str) -> None:
        if modality not in self.modalities:
            raise UnavailableError(model_files.explain_modality(self.name, self.modalities, modality))

    def _encode(self, encode: Any, texts: Sequence[str]) -> Matrix:
        # a text that is a path or an address would be read or fetched by a model that takes pictures or sound, too
        is_plain = self.modalities == {"text"}
        return self._encode_inputs(encode, list(texts) if is_plain else [{"text": text} for text in texts])

    def _encode_inputs(self, encode: Any, inputs: Sequence[Any]) -> Matrix:
        check_usable()
        if not inputs:
            return np.empty((0, self.dimension), np.float32)
        rows = encode(
            list(inputs), batch_size=ENCODER_BATCH_SIZE, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.ascontiguousarray(rows, np.float32)

    @property
    def _document_prompt(self) -> str:
        prompts = self._model.prompts or {}
        return next((prompt for key in ("document", "passage", "corpus") if (prompt := prompts.get(key))), "")

    @property
    def _query_prompt(self) -> str:
        return (self._model.prompts or {}).get("query") or ""

    @lazy_property
    def _tokenizer(self) -> Any:
        """Return an uncut copy of the model's tokenizer, so that counting never changes how the model cuts."""
        from tokenizers import Tokenizer

        backend = getattr(self._model.tokenizer, "backend_tokenizer", None)
        if backend is None:
            return None
        copy = Tokenizer.from_str(backend.to_str())
        copy.no_truncation()
        copy.no_padding()
        return copy

    @lazy_property
    def _token_counter(self) -> TokenCounter | None:
        return None if self._tokenizer is None else TokenCounter(self._tokenizer)

    @lazy_property
    def _model(self) -> SentenceTransformer:
        return _load_model(self._folder, self.name, self._device)

    # -- what the lean runtime is prepared from

    def build_model_config(self) -> ModelConfig | None:
        """Return what a lean runtime needs to know; None for a model that is more than tokens, pooling and normalisation."""
        kinds = [type(module).__name__ for module in self._model]
        if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or self._tokenizer is None:
            return None
        pooling = self._model[1]
        first = getattr(pooling, "pooling_mode", None) in ("cls", ("cls",), ["cls"])
        if not (self.pools_by_mean or first) or not getattr(pooling, "include_prompt", True):
            return None
        return ModelConfig(
            dimension=self.dimension, window=self._window, max_tokens=self.max_tokens,
            pooling=Pooling.MEAN if self.pools_by_mean else Pooling.FIRST, document_prompt=self._document_prompt,
            query_prompt=self._query_prompt,
        )  # fmt: skip

    def get_tokenizer_json(self) -> str | None:
        """Return the fast tokenizer as a file's text; None where the model has none."""
        return None if self._tokenizer is None else str(self._tokenizer.to_str())

    def get_transformer(self) -> Any:
        """Return the torch module that makes rows of token ids, with attention spelled out in plain operations."""
        inner: Any = self._model[0].auto_model
        inner.set_attn_implementation("eager")
        return inner


def _load_model(folder: Path, name: str, device: str) -> SentenceTransformer:
    model_safety.check_model(folder, name)
    model_files.require_sentence_transformers(name)
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise UnavailableError(f"sentence-transformers cannot be loaded ({error}); pip install sentence-transformers") from error
    _clear_scratch()
    try:
        with quiet_loading():
            model = SentenceTransformer(str(folder), device=device, **model_safety.SAFE_LOAD_OPTIONS)
            _prepare_as_trained(model)
            return model
    except Exception as error:  # a folder can be wrong in as many ways as there are libraries below
        raise model_safety.build_load_error(folder, name, error) from error


def _prepare_as_trained(model: SentenceTransformer) -> None:
    """Have texts and sound prepared as the model saw them in training, where the libraries would do otherwise.

    SigLIP pools the last of its 64 places, padding or not: padded to the longest of a batch, its vectors would depend on that. Of
    a CLAP that was saved by sentence-transformers the window of its texts, 77, would be the samples of sound that it hears, too.
    """
    first: Any = next(iter(model), None)
    kind = getattr(getattr(first, "config", None), "model_type", "")
    extractor: Any = getattr(getattr(first, "processor", None), "feature_extractor", None)
    wish = {}
    if kind in _FIXED_WINDOW:
        wish = {"text": {"padding": "max_length", "max_length": model.max_seq_length}}
    elif kind == "clap" and extractor is not None:
        wish = {"audio": {"padding": extractor.padding, "max_length": extractor.nb_max_samples}}
    for modality, values in wish.items():
        own = first.processing_kwargs or {}
        first.processing_kwargs = {**own, modality: {**values, **own.get(modality, {})}}


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep the progress bars and notes of the libraries out of the output while a model loads, and only then.

    The switches belong to the whole process, so they are put back: the host's own bars and logs stay as it has set them.
    """
    from transformers.utils import logging as transformers_logging

    logger = logging.getLogger("sentence_transformers")
    with _loading_lock:
        level, had_bars = logger.level, transformers_logging.is_progress_bar_enabled()
        logger.setLevel(max(logger.getEffectiveLevel(), logging.WARNING))
        if had_bars:
            transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            logger.setLevel(level)
            if had_bars:
                transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _is_mean_pooling(pooling: Any) -> bool:
    mode = getattr(pooling, "pooling_mode", None)
    return mode in ("mean", ("mean",), ["mean"]) or bool(getattr(pooling, "pooling_mode_mean_tokens", False))


def _clear_scratch() -> None:
    """Remove the folder for compiled kernels that importing torch makes among the temporary files; we compile none."""
    with suppress(KeyError, OSError):
        Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]).rmdir()  # only if it is empty


def _estimate_spans(text: str) -> list[tuple[int, int]]:
    """Estimate two characters a token: a safe over-count where a model has no fast tokenizer."""
    return [(start, min(start + 2, len(text))) for start in range(0, len(text), 2)]
