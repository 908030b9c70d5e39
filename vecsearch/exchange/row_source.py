"""Tables, JSON arrays and lists to import from: a row a document, as `vecsearch index` reads them."""

from __future__ import annotations

from collections.abc import Iterator

from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.rows.row_documents import OpenRows
from vecsearch.documents.validation import validate_document
from vecsearch.exchange.transfer_records import ExportHeader, ImportEntry, ImportRecord


class RowSource:
    """A file of rows to import from. Holds one at a time."""

    header: ExportHeader | None = None

    def __init__(self, rows: OpenRows) -> None:
        self._rows = rows
        self.total = float(rows.raw.size)

    def read_entries(self) -> Iterator[ImportEntry]:
        """Yield every row, and what is wrong with others."""
        number, left = 0, self.total
        try:
            for item in self._rows.read_items():
                if isinstance(item, ParseWarning):
                    where, _, reason = item.message.partition(": ")
                    yield ImportEntry(where, 0.0, None, reason)
                elif isinstance(item, ParsedDocument):
                    number += 1
                    weight = min(left, float(len(item.text)))
                    left -= weight
                    yield _make_entry(f"document {number:,}", weight, item)
        except (OSError, UnreadableFileError) as error:
            yield ImportEntry(f"document {number + 1:,}", 0.0, None, f"the file is damaged or ends too early: {error}")


def _make_entry(where: str, weight: float, document: ParsedDocument) -> ImportEntry:
    try:
        return ImportEntry(where, weight, ImportRecord(validate_document(document)))
    except InputError as error:
        return ImportEntry(where, weight, None, str(error))
