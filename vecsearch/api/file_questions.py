"""Files that are asked about or asked with: one document each, read in the parser's process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vecsearch.core.errors import UnreadableFileError

if TYPE_CHECKING:
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.parser_process import ParseResult


def read_document(path: Path) -> ParsedDocument:
    """Return a file as one document, for `similar`. Raises InputError, UnreadableFileError."""
    from vecsearch.core.parsed import ParsedDocument
    from vecsearch.documents.parser_process import ParseRequest, ParserProcess

    with ParserProcess() as parser:
        (documents,) = (_read_documents(reading) for reading in parser.read([ParseRequest(path.absolute(), path.name)]))
    if len(documents) == 1 and documents[0].portion is None:
        return documents[0]
    separator = "" if any(document.portion for document in documents) else "\n\n"
    return ParsedDocument(path.name, separator.join(document.text for document in documents))


def read_question(path: Path) -> tuple[str, str]:
    """Return what a file says, as a question: a text, what is said in a recording, the words in a picture or what it shows.

    The second value is what a picture is encoded as, empty for all else. Raises InputError, UnreadableFileError.
    """
    from vecsearch.core.picture_labels import PICTURE_CONTEXT, parse_picture

    document = read_document(path)
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
