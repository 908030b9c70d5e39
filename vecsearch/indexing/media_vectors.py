"""Vectors of pictures and sound by a model that takes them: read again from their files, in the parser's process and its limits.

A picture is stored as a place: its file, and the digest of what it was. What its file holds now is encoded only if it is that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from vecsearch.core.batched import batched
from vecsearch.core.encoder_fields import read_modalities
from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import MediaContent, MediaKind, ParseWarning, get_media_kind
from vecsearch.core.settings import MEDIA_SAMPLE_RATE
from vecsearch.core.source_paths import to_absolute_path
from vecsearch.core.stop_signal import NO_STOP, StopSignal
from vecsearch.core.types import Location
from vecsearch.documents.loaders.raw_file import MediaWish
from vecsearch.documents.parser_process import ParseRequest, ParseResult, ParserProcess
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.model_files import explain_modality
from vecsearch.encoders.unit_vectors import Vector, VectorFailure, encode_contents

_TOGETHER: Final = 16  # pictures in one forward pass
_GONE: Final = "its file has changed since it was indexed: vecsearch index, which reads it again"
_NO_FILE: Final = "no file is known that holds the {kind}: index it from its file"


_Keys: TypeAlias = Mapping[tuple[str, str], Sequence[int]]  # document and digest → the numbers of places


class MediaPlace(NamedTuple):
    """A picture or a stretch of sound that is to be encoded: its document, the stored path of its file, and its location."""

    document_id: str
    source: str | None
    location: Location


class MediaVector(NamedTuple):
    """What came of a place, by its number among those given."""

    number: int
    vector: Vector | VectorFailure


def list_media_kinds(encoder: TextEncoder) -> frozenset[MediaKind]:
    """Return which kinds of media an encoder takes itself."""
    return frozenset(kind for kind in MediaKind if kind.value in read_modalities(encoder))


class MediaEncoder:
    """Encodes pictures and sound of files whose stored paths are relative to `source_root`."""

    def __init__(
        self, encoder: TextEncoder, source_root: Path, *, passwords: Sequence[str] = (), stop: StopSignal = NO_STOP
    ) -> None:
        self._encoder: Any = encoder
        self._kinds = list_media_kinds(encoder)
        self._source_root, self._passwords, self._stop = source_root, passwords, stop

    def encode(self, places: Sequence[MediaPlace]) -> Iterator[MediaVector]:
        """Yield the vector of each place, or why it has none, as its file is read. Raises RunStoppedError."""
        by_source: dict[str, dict[tuple[str, str], list[int]]] = {}
        for number, place in enumerate(places):
            if (reason := self._explain(place)) is not None:
                yield MediaVector(number, VectorFailure(reason))
            elif place.source is not None:
                key = (place.document_id, str(place.location.get("digest")))
                by_source.setdefault(place.source, {}).setdefault(key, []).append(number)
        if not by_source:
            return
        requests = [self._make_request(source, keys) for source, keys in by_source.items()]
        with ParserProcess(passwords=self._passwords, stop=self._stop) as parser:
            contents = self._read_contents(parser, requests, by_source)
            for batch in batched(contents, _TOGETHER):
                yield from self._encode_batch(batch)

    def _explain(self, place: MediaPlace) -> str | None:
        """Return why a place cannot be encoded, whatever its file holds."""
        kind = get_media_kind(place.location)
        assert kind is not None
        if kind not in self._kinds:
            return explain_modality(self._encoder.name, read_modalities(self._encoder), kind.value)
        return _NO_FILE.format(kind=kind.value) if place.source is None else None

    def _make_request(self, source: str, keys: _Keys) -> ParseRequest:
        path = to_absolute_path(self._source_root, source)
        digests: dict[str, list[str]] = {}
        for document, digest in keys:
            digests.setdefault(document, []).append(digest)
        size = path.stat().st_size if path.is_file() else 0
        return ParseRequest(path, source, size, media=MediaWish(self._kinds, digests))

    def _read_contents(
        self, parser: ParserProcess, requests: Sequence[ParseRequest], by_source: Mapping[str, _Keys]
    ) -> Iterator[_FileContent]:
        """Yield what each file holds of the places that are wanted of it, and in its end why there is nothing of others."""
        for result in parser.read(requests):
            waiting = dict(by_source[result.request.name])
            reason = ""
            try:
                for content in _read_media(result):
                    numbers = waiting.pop((content.document_id, str(content.location["digest"])), None)
                    if numbers is not None:
                        yield _FileContent(numbers, get_media_kind(content.location), content)
            except UnreadableFileError as error:
                reason = str(error)
            for numbers in waiting.values():
                yield _FileContent(numbers, None, VectorFailure(reason or _GONE))

    def _encode_batch(self, batch: Sequence[_FileContent]) -> Iterator[MediaVector]:
        for kind in (*MediaKind, None):
            found = [each for each in batch if each.kind is kind]
            rows = [each.content for each in found] if kind is None else self._encode_kind(kind, [each.content for each in found])
            for each, row in zip(found, rows, strict=True):
                yield from (MediaVector(number, row) for number in each.numbers)

    def _encode_kind(self, kind: MediaKind, contents: Sequence[Any]) -> Sequence[Any]:
        if not contents:
            return []
        if kind is MediaKind.IMAGE:
            return encode_contents(self._encoder, list(map(_make_picture, contents)), self._encoder.encode_images)
        encode = partial(self._encoder.encode_audio, sample_rate=MEDIA_SAMPLE_RATE)
        return encode_contents(self._encoder, list(map(_make_sound, contents)), encode)


class _FileContent(NamedTuple):
    """What a file holds of a place, or why it holds nothing (kind None), and the numbers of the places that are the same."""

    numbers: Sequence[int]
    kind: MediaKind | None
    content: MediaContent | VectorFailure


def _read_media(result: ParseResult) -> Iterator[MediaContent]:
    """Yield what a file holds of what is wanted. Raises UnreadableFileError, also for what is damaged inside it."""
    for item in result.read_items():
        if isinstance(item, MediaContent):
            yield item
        elif isinstance(item, ParseWarning):
            raise UnreadableFileError(item.message)


def _make_picture(content: MediaContent) -> Any:
    from PIL import Image

    return Image.fromarray(np.frombuffer(content.data, np.uint8).reshape(content.shape))


def _make_sound(content: MediaContent) -> Any:
    return np.frombuffer(content.data, "<i2").astype(np.float32) / 32768
