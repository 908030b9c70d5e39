"""Which languages some models know, and how large they are: what is said before one is chosen. Loads nothing.

Other models work as well; nothing is known of them here, and nothing is said of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_EUROPE: Final = "bg ca cs da de el en es et fi fr gl hr hu hy it ka lt lv mk nb nl no pl pt ro ru sk sl sq sr sv tr uk"
_MINILM: Final = frozenset(f"{_EUROPE} ar fa gu he hi id ja ko ku mn mr ms my th ur vi zh".split())
_XLM: Final = _MINILM | frozenset("af am as az be bn br bs cy eo eu ga ha is jv kk km kn ky la lo mg ml ne nn or pa ps".split())
_ENGLISH: Final = frozenset({"en"})


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model by its name: the ISO 639-1 codes of the languages that it was trained on, in words too; `megabytes` on the disk."""

    name: str
    languages: frozenset[str]
    description: str
    dimension: int
    megabytes: int


KNOWN_MODELS: Final = {
    model.name: model
    for model in (
        KnownModel("all-MiniLM-L6-v2", _ENGLISH, "English", 384, 91),
        KnownModel("BAAI/bge-small-en-v1.5", _ENGLISH, "English", 384, 134),
        KnownModel("paraphrase-multilingual-MiniLM-L12-v2", _MINILM, "50 languages", 384, 471),
        KnownModel("intfloat/multilingual-e5-small", _XLM, "some 100 languages", 384, 471),
        KnownModel("BAAI/bge-m3", _XLM, "some 100 languages", 1024, 2_271),
    )
}
MULTILINGUAL_MODEL: Final = "paraphrase-multilingual-MiniLM-L12-v2"


def find_known_model(name: str) -> KnownModel | None:
    """Return what is known of a model, with or without `sentence-transformers/` before its name; None for another."""
    return KNOWN_MODELS.get(name.removeprefix("sentence-transformers/"))
