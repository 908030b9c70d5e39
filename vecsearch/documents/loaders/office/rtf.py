"""Rich text: its paragraphs under their headings, its tables a line a row. Notes, comments and text boxes follow their paragraph.

Headers and footers stand at the end, once each. Pictures and embedded objects are passed over.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders.document_builder import finish_document
from vecsearch.documents.loaders.document_info import build_metadata
from vecsearch.documents.loaders.font_table import WESTERN
from vecsearch.documents.loaders.office.property_fields import normalize_title
from vecsearch.documents.loaders.office.rtf_reader import RtfReader
from vecsearch.documents.loaders.raw_file import RawFile


def load_rtf(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of an .rtf file. Raises EmptyFileError, UnreadableFileError."""
    if not raw.head:
        raise EmptyFileError("the file is empty")
    if not raw.head.removeprefix(BOM_UTF8).lstrip().startswith(b"{\\rtf"):
        raise UnreadableFileError("an RTF document is damaged: it does not begin like one")
    reader = _read(raw.data.removeprefix(BOM_UTF8))
    body = reader.body
    body.finish()
    for text in dict.fromkeys(reader.margins):
        if any(map(str.isalpha, text)):
            body.builder.add_block(text)
    title = normalize_title(reader.info.get("title")) or body.title or body.builder.first_heading
    metadata = build_metadata(
        author=reader.info.get("author", "").split(";"),
        created=_format_time(reader.times.get("creatim", {})),
        modified=_format_time(reader.times.get("revtim", {})),
    )
    yield from finish_document(raw, body.builder, title, metadata, empty_message="no text in it: pictures, perhaps")


def _read(data: bytes) -> RtfReader:
    """Read a document; once more where the bytes that it says are Western are not."""
    reader = RtfReader(data)
    reader.read()
    if reader.fonts.doubtful and (western := reader.fonts.choose_western()) != WESTERN:
        reader = RtfReader(data, western=western)
        reader.read()
    return reader


def _format_time(parts: Mapping[str, int]) -> str:
    """Return a time in ISO 8601, by the control words that name its parts."""
    year, month, day, hour, minute = (parts.get(word, 0) for word in ("yr", "mo", "dy", "hr", "min"))
    date = f"{year:04}-{month:02}-{day:02}"
    return f"{date}T{hour:02}:{minute:02}:00" if "hr" in parts else date
