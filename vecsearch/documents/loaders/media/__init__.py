"""What is drawn, photographed or said, as text with its places. A reader needs packages and weights that may not be here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from vecsearch.core.errors import UnavailableError, UnreadableFileError
from vecsearch.documents.decoding import BinaryFileError, decode, make_binary_error
from vecsearch.documents.loaders.raw_file import RawFile

_MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "media.images:load_image": ("PIL",),
    "media.sound:load_sound": ("faster_whisper",),
}
READERS: Final[Mapping[str, str]] = {
    "ocr": "page_reader:get_page_reader",
    "pictures": "classifier:get_picture_reader",
    "speech": "speech:get_speech_reader",
}
"""Extra → what loads its reader."""


def is_readable(loader: str) -> bool:
    """Return whether what a loader of `LOADERS` cannot do without is installed; True for one of neither pictures nor sound."""
    return all(find_spec(module) is not None for module in _MODULES.get(loader, ()))


def is_reader_missing(name: str) -> bool:
    """Return whether what a loader lacked, by its name among the extras, is still not to be had."""
    module, function = READERS[name].split(":")
    try:
        getattr(import_module(f"{__name__}.{module}"), function)()
    except UnavailableError:
        return True
    return False


def make_unread_error(raw: RawFile, kind: str, reason: str = "") -> BinaryFileError:
    """Return the error for a picture or a recording that is not read: what it is, and why."""
    message = str(make_binary_error(kind))
    try:
        decode(raw.head)
    except BinaryFileError as error:
        message = str(error)
    except UnreadableFileError:
        pass
    return BinaryFileError(f"{message}; {reason}" if reason else message)
