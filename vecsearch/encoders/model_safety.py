"""What is in a model's folder is data: its weights are read as numbers, and no code that it names or brings is run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import UnavailableError
from vecsearch.core.nesting import load_json

SAFE_LOAD_OPTIONS: Final[dict[str, Any]] = {
    "local_files_only": True,
    "trust_remote_code": False,
    "model_kwargs": {"weights_only": True},  # pickled weights give tensors or nothing
}
"""For SentenceTransformer and CrossEncoder: how every model is loaded."""

_TRUSTED_PREFIX: Final = "sentence_transformers."  # classes that a folder may name
_CONFIG_FILES: Final = ("modules.json", "router_config.json", "wordembedding_config.json", "config.json")


def check_model(folder: Path, name: str) -> None:
    """Raise UnavailableError for a model that is put together from classes of others, which some versions of
    sentence-transformers would import from the folder unasked."""
    for path in sorted(path for file_name in _CONFIG_FILES for path in folder.rglob(file_name)):
        try:
            named = list(_iter_class_names(load_json(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:
            raise UnavailableError(f"the model {name!r} cannot be loaded: {path} cannot be read: {error}") from error
        if foreign := [class_name for class_name in named if not class_name.startswith(_TRUSTED_PREFIX)]:
            raise UnavailableError(_format_refusal(name, f"{path.name} names {shorten_repr(foreign[0])}"))


def build_load_error(folder: Path, name: str, error: Exception) -> UnavailableError:
    """Return the error to raise when a library could not load a model from a folder."""
    message = " ".join(f"{error}".split())
    if "trust_remote_code" in message:
        return UnavailableError(_format_refusal(name, f"in {folder}"))
    return UnavailableError(f"the model {name!r} cannot be loaded from {folder}: {message[:400] or type(error).__name__}")


def _format_refusal(name: str, where: str) -> str:
    return (
        f"the model {name!r} brings code of its own ({where}), and vecsearch runs no code that comes with a model: "
        "choose one that needs none"
    )


def _iter_class_names(config: Any) -> Iterator[str]:
    """Yield the classes that a configuration names."""
    match config:
        case [*modules]:
            for module in modules:
                match module:
                    case {"type": str(kind)}:
                        yield kind
        case {"types": dict(kinds), "structure": _}:
            yield from (kind for kind in kinds.values() if isinstance(kind, str))
        case {"tokenizer_class": str(kind), "update_embeddings": _}:  # of word embeddings; a transformer's is another matter
            yield kind
