"""The layers of any other model, by sentence-transformers and torch, with attention spelled out: quick kernels keep no maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import UnavailableError
from vecsearch.core.lazy_property import lazy_property
from vecsearch.encoders.layers import LayerOutputs, Tensor, TokenizedText, build_tokenizer, tokenize_text
from vecsearch.encoders.model_config import Pooling
from vecsearch.encoders.sentence_transformers import SentenceTransformersEncoder


class TorchLayerModel(SentenceTransformersEncoder):
    """A model that sentence-transformers loads: a `layers.LayerModel`. Raises UnavailableError where torch is absent."""

    def get_pooling(self) -> Pooling | None:
        """Return how a text's vector comes from its last rows."""
        config = self.build_model_config()
        return None if config is None else config.pooling

    def tokenize(self, text: str) -> TokenizedText:
        """Return the tokens of a text."""
        if self._tokenizer is None:
            raise UnavailableError(f"the model {self.name!r} has no fast tokenizer, which tells where its tokens stand in a text")
        return tokenize_text(self._layer_tokenizer, self._document_prompt, text)

    def run(self, ids: NDArray[np.int64]) -> LayerOutputs:
        """Return what each layer makes of a text's token ids."""
        import torch

        batch = torch.from_numpy(ids[np.newaxis].copy())
        with torch.no_grad():
            output = self._transformer(
                input_ids=batch, attention_mask=torch.ones_like(batch), output_hidden_states=True, output_attentions=True
            )
        return LayerOutputs(_collect_layers(output.hidden_states), _collect_layers(output.attentions))

    def encode_text(self, text: str) -> Tensor:
        """Return the unit vector of a text."""
        vector: Tensor = self.encode_documents([text])[0]
        return vector

    @lazy_property
    def _layer_tokenizer(self) -> Any:
        return build_tokenizer(self.get_tokenizer_json() or "", self._window)

    @lazy_property
    def _transformer(self) -> Any:
        try:
            return self.get_transformer()
        except (AttributeError, ValueError) as error:
            raise UnavailableError(f"the model {self.name!r} shows no layers: it is no transformer of text ({error})") from error


def _collect_layers(layers: Any) -> Tensor:
    return np.stack([layer[0].float().numpy() for layer in layers]).astype(np.float32, copy=False)
