"""What comes through a pipe, told by how it begins: a JSON array, JSON lines, a table, plain lines."""

from __future__ import annotations

from dataclasses import replace

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.row_options import RowOptions
from vecsearch.documents.decoding import is_binary
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.table import open_csv
from vecsearch.documents.rows.record_tables import open_tables
from vecsearch.documents.rows.row_documents import OpenRows, open_rows

_BEGINNING_LINES = 20


def open_stream_rows(raw: RawFile, options: RowOptions) -> OpenRows | None:
    """Open the rows of a text whatever its name; None for JSON lines with ids of their own, and for what is no text.

    Ids are as they stand in it. Raises UnreadableFileError for a column that is named and not there, OSError.
    """
    if is_binary(raw.head):
        return None
    suffix = detect_stream_suffix(raw, options)
    may_be_documents = options.guess and suffix == ".jsonl"
    return open_rows(replace(raw, suffix=suffix), replace(options, guess=may_be_documents), prefix="")


def detect_stream_suffix(raw: RawFile, options: RowOptions) -> str:
    """Return .json, .jsonl, .csv, .tsv or, for plain lines, .txt."""
    text = raw.head.decode("utf-8-sig", "ignore").replace("\0", "")
    lines = [line for line in text.splitlines() if line.strip()][:_BEGINNING_LINES]
    if lines and lines[0].lstrip().startswith("["):
        return ".json"
    if any(line.lstrip().startswith("{") for line in lines):
        return ".jsonl"
    try:
        table = replace(raw, suffix=".csv")
        delimiter = open_csv(table).delimiter
        is_table = options.list_columns() or all(found.is_likely for found in open_tables(table, ()) if not found.is_plain_list)
    except UnreadableFileError:
        return ".txt"
    if not is_table or delimiter not in ",;\t|":
        return ".txt"
    return ".tsv" if delimiter == "\t" else ".csv"
