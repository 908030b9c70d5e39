"""Files that are asked about or asked with: one document each, read in the parser's process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vecsearch.core.errors import UnreadableFileError

if TYPE_CHECKING:
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.parser_process import ParseResult
    from vecsearch.encoders.base import TextEncoder
    from vecsearch.encoders.unit_vectors import Vector


def read_document(path: Path, get_encoder: Callable[[], TextEncoder]) -> ParsedDocument:
    """Return a file as one document, for `similar`: with its media, where the encoder takes them.

    Raises InputError, UnreadableFileError, UnavailableError.
    """
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.loaders import can_hold_media
    from vecsearch.documents.loaders.raw_file import MediaWish
    from vecsearch.documents.parser_process import ParseRequest, ParserProcess
    from vecsearch.indexing.media_vectors import list_media_kinds

    media = MediaWish(list_media_kinds(get_encoder())) if can_hold_media(path.suffix.lower()) else MediaWish()
    request = ParseRequest(path.absolute(), path.name, media=media)
    with ParserProcess() as parser:
        (documents,) = (_read_documents(reading) for reading in parser.read([request]))
    if len(documents) == 1 and documents[0].portion is None:
        return documents[0]
    separator = "" if any(document.portion for document in documents) else "\n\n"
    return ParsedDocument(path.name, separator.join(document.text for document in documents))


def embed_media(document: ParsedDocument, path: Path, encoder: TextEncoder) -> list[Vector]:
    """Return the unit vectors of the media of a document that `read_document` gave. Raises UnreadableFileError."""
    from vecsearch.encoders.unit_vectors import VectorFailure
    from vecsearch.indexing.media_vectors import MediaEncoder, MediaPlace

    whole, vectors = path.absolute(), []
    places = [MediaPlace(document.id, whole.name, place) for place in document.media]
    for found in MediaEncoder(encoder, whole.parent).encode(places):
        if isinstance(found.vector, VectorFailure):
            raise UnreadableFileError(f"cannot read {path}: {found.vector.reason}")
        vectors.append(found.vector)
    return vectors


def read_question(path: Path, get_encoder: Callable[[], TextEncoder]) -> tuple[str | Vector, str]:
    """Return what a file says, as a question: a text, what is said in a recording, the words in a picture or what it shows; the
    vector of what has no words, where the encoder takes such.

    The second value is what a picture is encoded as, empty for all else. Raises InputError, UnreadableFileError,
    UnavailableError.
    """
    from vecsearch.core.picture_labels import PICTURE_CONTEXT, parse_picture

    document = read_document(path, get_encoder)
    if document.media and not document.text.strip():
        from vecsearch.search.engine import compute_centroid

        return compute_centroid(np.stack(embed_media(document, path, get_encoder()))), ""
    last = document.sections[-1] if document.sections else None
    if last is not None and last.context == PICTURE_CONTEXT:
        encoded = f"{PICTURE_CONTEXT}\n{document.text[last.start :]}"
        if parts := parse_picture(encoded):
            words = " ".join(document.text[: last.start].split())
            labels = ", ".join(part.text.removeprefix(f"{PICTURE_CONTEXT} ") for part in parts)
            return (words, "") if words else (labels, encoded)
    return " ".join(f"{document.title or ''} {document.text}".split()), ""


def _read_documents(reading: ParseResult) -> list[ParsedDocument]:
    from vecsearch.core.parsed import ParsedDocument

    try:
        return [item for item in reading.read_items() if isinstance(item, ParsedDocument)]
    except UnreadableFileError as error:
        raise UnreadableFileError(f"cannot read {reading.request.path}: {error}") from error
