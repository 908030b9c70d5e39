"""Tables as text: a row a line, each value with its column's name, so that a row is understood by itself."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import chain, islice, takewhile, zip_longest
from typing import Final, NamedTuple, TypeAlias

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.core.settings import PORTION_CHARACTERS, SNIFF_BYTES
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.raw_file import RawFile, emit_document, emit_portions
from vecsearch.documents.loaders.table_header import has_row_names, is_header, is_key_value
from vecsearch.documents.text_stream import choose_encoding, iterate_lines, read_text

NumberedRow: TypeAlias = tuple[int, Sequence[str]]
NumberedLine: TypeAlias = tuple[int, str]

_DELIMITERS: Final = ",;\t|"
_ONE_COLUMN: Final = "\x1f"  # a delimiter that no text has
_AGREEMENT: Final = 0.6  # the share of rows that must have the same number of columns
_SAMPLE_ROWS: Final = 50  # rows that tell whether a table has a header
_NAME_MAX: Final = 100  # characters of a column's name, which is repeated on every line
_LABEL_ENDS: Final = (":", "：")
_ROW_GAP: Final = " / "  # between the rows of a table in a cell
_COMMENT: Final = re.compile(r"(?:#(?!\d)|//|%)+[ \t]*")  # how a line begins that stands above a table and is no row of it
_CELL_MAX: Final = 32_000_000  # characters; a quote that is never closed makes a cell of all that follows


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """A text of values that a character separates, of which the first lines may be left out."""

    read_blocks: Callable[[], Iterable[str]]
    delimiter: str
    quoting: int = csv.QUOTE_MINIMAL
    first_line: int = 0

    def read_lines(self) -> Iterator[str]:
        """Yield the lines from the beginning."""
        return islice(iterate_lines(self.read_blocks()), self.first_line, None)

    def read_rows(self) -> Iterator[NumberedRow]:
        """Yield the rows from the beginning, line breaks within a cell kept. Raises UnreadableFileError."""
        try:
            yield from _read_rows(self.read_lines(), self.delimiter, self.quoting, format_value=str.strip)
        except csv.Error as error:
            raise UnreadableFileError(f"no table: {error}") from error

    @property
    def has_columns(self) -> bool:
        """Return whether anything separates values."""
        return self.delimiter != _ONE_COLUMN


def load_csv(raw: RawFile) -> Iterator[LoaderItem]:
    """Load values separated by whatever character separates them."""
    return _load_table(raw, open_csv(raw))


def load_tsv(raw: RawFile) -> Iterator[LoaderItem]:
    """Load values separated by tabs."""
    return _load_table(raw, open_tsv(raw))


def open_csv(raw: RawFile) -> DelimitedText:
    """Open values separated by whatever character separates them."""
    read_blocks = open_text(raw)
    head = _read_head(read_blocks())
    if match := re.match(r"sep=([,;\t|:])(?:\n|$)", head):  # Excel's way to say it
        return DelimitedText(read_blocks, match[1], first_line=1)
    return DelimitedText(read_blocks, _detect_delimiter(head))


def open_tsv(raw: RawFile) -> DelimitedText:
    """Open values separated by tabs."""
    read_blocks = open_text(raw)
    # such files often hold lone quotes, which mean inches there
    has_lone_quote = sum(block.count('"') for block in read_blocks()) % 2
    return DelimitedText(read_blocks, "\t", csv.QUOTE_NONE if has_lone_quote else csv.QUOTE_MINIMAL)


def open_text(raw: RawFile) -> Callable[[], Iterable[str]]:
    """Return what gives the text from its beginning, in blocks where it is long."""
    if raw.is_long:
        return partial(read_text, raw.open, choose_encoding(raw.open))
    text = decode(raw.data)
    return lambda: [text]


def _read_head(blocks: Iterable[str]) -> str:
    """Return the whole lines that a text begins with, no more than SNIFF_BYTES of them, or a part of the first."""
    head, size = list[str](), 0
    for block in blocks:
        head.append(block)
        size += len(block)
        if size > SNIFF_BYTES:
            text = "".join(head)
            return text[: text.rfind("\n", 0, SNIFF_BYTES) + 1] or text[:SNIFF_BYTES]
    return "".join(head)


def _load_table(raw: RawFile, text: DelimitedText) -> Iterator[LoaderItem]:
    numbered = _label_text_rows(_read_rows(text.read_lines(), text.delimiter, text.quoting), text.delimiter)
    try:
        if raw.is_long:
            yield from emit_portions(raw, _group_lines(numbered))
        else:
            rows = list(numbered)
            yield from emit_document(raw, _join_lines(rows), sections=tuple(_build_sections(rows)))
    except csv.Error as error:
        raise UnreadableFileError(f"no table: {error}") from error


def _group_lines(lines: Iterable[NumberedLine]) -> Iterator[tuple[str, tuple[Section, ...]]]:
    """Yield the text of the lines in portions, and the sections of each."""
    group, size = list[NumberedLine](), 0
    for number, line in lines:
        if size >= PORTION_CHARACTERS:
            yield f"{_join_lines(group)}\n", tuple(_build_sections(group))
            group, size = [], 0
        group.append((number, line))
        size += len(line) + 1
    if group:
        yield _join_lines(group), tuple(_build_sections(group))


def _label_text_rows(rows: Iterator[NumberedRow], delimiter: str) -> Iterator[NumberedLine]:
    """Label the rows of a text. The last comment above them may hold their header."""
    above, sample = _take_sample(rows)
    table = [row for _, row in sample]
    header: Sequence[str] = ()
    if table and above and _COMMENT.match(last := above[-1][1][0]):
        names = next((row for _, row in _read_rows(iter([_COMMENT.sub("", last)]), delimiter)), [])
        if len(names) == len(table[0]) and is_header(names, table) and not is_header(table[0], table[1:]):
            header = names
    lines = ((number, " ".join(cells[0].split())) for number, cells in above)
    return chain(lines, label_rows(chain(sample, rows), header).lines)


def _build_sections(lines: Iterable[tuple[int, str]]) -> Iterator[Section]:
    """Yield a section for each run of rows without a gap."""
    start, due = 0, 0
    for number, line in lines:
        if number != due:
            yield Section(start, {"rows": number})
        start, due = start + len(line) + 1, number + 1


class LabeledRows(NamedTuple):
    """Numbered lines, made as they are asked for, and the header that names their values, empty where there is none."""

    lines: Iterator[NumberedLine]
    header: Sequence[str]


def label_rows(rows: Iterable[NumberedRow], header: Sequence[str] = (), *, has_header: bool | None = None) -> LabeledRows:
    """Format numbered rows as numbered lines, each value with the name of its column.

    A header, perhaps below rows of one value such as a title, names the values of the rows after it, and keeps a line of its
    own. `has_header` where the file says whether there is one; else the first rows tell. With a header given none is looked for.
    """
    waiting = iter(rows)
    if header:
        return LabeledRows(_format_rows(waiting, header), header)
    titles, sample = _take_sample(waiting)
    table = [row for _, row in sample]
    if not table or has_header is False or not (has_header or is_header(table[0], table[1:])):
        separator = ": " if has_header is not True and is_key_value(table) else "; "
        return LabeledRows(_format_rows(chain(titles, sample, waiting), (), separator), ())
    above = _format_rows([*titles, sample[0]], ())
    return LabeledRows(chain(above, _format_rows(chain(sample[1:], waiting), table[0])), table[0])


def format_table(rows: Iterable[Sequence[str]], header_rows: int | None = None) -> str:
    """Format a table inside a document, a row a line; rows without a value are left out.

    `header_rows` is how many of the first rows the file says to be the header, None where it says nothing. A header that the file
    says has a line of its own only for what would stand nowhere else. Programs say it of the first row of any new table: a key
    with its value is none.
    """
    everything = [list(row) for row in rows]
    table = list(filter(any, everything))
    count = sum(map(any, everything[: header_rows or 0]))
    if not 0 < count < len(table) or (count == 1 and has_row_names(table)):
        return _join_lines(label_rows(enumerate(table), has_header=None if header_rows is None else False).lines)
    header, body = _merge_header(table[:count]), table[count:]
    used = {column for row in body for column, cell in enumerate(row) if cell}
    is_repeated = all(len(name) <= _NAME_MAX and column in used for column, name in enumerate(header) if name)
    above = () if is_repeated else enumerate(table[:count])
    return _join_lines(chain(_format_rows(above, ()), _format_rows(enumerate(body), header)))


def format_cell_text(text: str, *, has_table: bool = False) -> str:
    """Return what a cell says in one line, the rows of a table in it parted from each other."""
    if not has_table:
        return " ".join(text.split())
    return _ROW_GAP.join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))


def _join_lines(lines: Iterable[NumberedLine]) -> str:
    return "\n".join(line for _, line in lines)


def _take_sample(rows: Iterator[NumberedRow]) -> tuple[list[NumberedRow], list[NumberedRow]]:
    """Take the rows of one value that begin a table, and the first ones of those that follow."""
    titles: list[NumberedRow] = []
    for number, row in rows:
        if any(row[1:]):
            return titles, [(number, row), *islice(rows, _SAMPLE_ROWS)]
        titles.append((number, row))
        if len(titles) == _SAMPLE_ROWS:
            break
    return titles, []


def _merge_header(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return one name for each column: what stands above it in each row of a header, once."""
    columns = zip_longest(*rows, fillvalue="")
    return [" ".join(dict.fromkeys(filter(None, names))) for names in columns]


def _format_rows(rows: Iterable[NumberedRow], header: Sequence[str], separator: str = "; ") -> Iterator[NumberedLine]:
    names = [_shorten_name(name) for name in header]
    return ((number, format_row(names, row, separator)) for number, row in rows)


def _shorten_name(name: str) -> str:
    """Return a name short enough to stand on every line."""
    name = name.rstrip(":： ")
    return name if len(name) <= _NAME_MAX else f"{name[:_NAME_MAX].rpartition(' ')[0] or name[: _NAME_MAX - 1]}…"


def _collapse_blanks(text: str) -> str:
    return " ".join(text.split())


def _read_rows(
    lines: Iterator[str], delimiter: str, quoting: int = csv.QUOTE_MINIMAL, format_value: Callable[[str], str] = _collapse_blanks
) -> Iterator[NumberedRow]:
    """Yield the rows that hold anything, counted as a spreadsheet does, white space in their cells collapsed. A line of comment
    above them is a row of one cell."""
    csv.field_size_limit(_CELL_MAX)
    above = 0
    for line in lines:
        if not line.isspace() and not _COMMENT.match(line):
            lines = chain([line], lines)
            break
        above += 1
        if not line.isspace():
            yield above, [line.strip()]
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=True)  # type: ignore[arg-type]
    for number, row in enumerate(reader, start=above + 1):
        cells = [format_value(cell) for cell in row]
        if any(cells):
            yield number, cells


def _detect_delimiter(head: str) -> str:
    """Return the one under which most rows have the same number of columns, then the one that gives more columns."""
    agreement, _, place = max((*_measure_agreement(head, delimiter), -place) for place, delimiter in enumerate(_DELIMITERS))
    return _DELIMITERS[-place] if agreement >= _AGREEMENT else _ONE_COLUMN


def _measure_agreement(text: str, delimiter: str) -> tuple[float, int]:
    """Return the share of rows that have the commonest number of columns, and that number; none where the first row is not
    parted. Comments above it, and a title that no other delimiter parts, are no rows of it."""
    rows = [row for _, row in islice(_read_rows(iterate_lines([text]), delimiter), _SAMPLE_ROWS)]
    is_prose = f"{delimiter} " in text or f"{delimiter}\n" in text
    above = sum(1 for _ in takewhile(lambda row: _is_above_table(row, has_titles=not is_prose), rows))
    widths = [len(row) for row in rows[above:]]
    width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
    return (count / len(widths), width) if width > 1 and widths[0] > 1 else (0.0, 0)


def _is_above_table(row: Sequence[str], *, has_titles: bool) -> bool:
    """Return whether a row is a comment, or, where there may be any, a title."""
    return len(row) == 1 and (bool(_COMMENT.match(row[0])) or (has_titles and not any(map(row[0].__contains__, _DELIMITERS))))


def format_row(header: Sequence[str], row: Sequence[str], separator: str = "; ") -> str:
    """Return a row in one line, each value with its column's name, or behind a label that ends in a colon."""
    names = [*header, *[""] * (len(row) - len(header))]
    cells = [f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell]
    if header or not any(cell.endswith(_LABEL_ENDS) for cell in cells):
        return separator.join(cells)
    gaps = (" " if cell.endswith(_LABEL_ENDS) else separator for cell in cells[:-1])
    return "".join(map("".join, zip_longest(cells, gaps, fillvalue="")))


def format_cell(value: object) -> str:
    """Return a cell's value as a person reads it: 42, 3.5, 2024-05-01, 13:45."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) <= 2**53 else f"{value:.15g}"
    return _format_time(value) or str(value).upper()  # TRUE, as spreadsheets write it


def _format_time(value: object) -> str:
    match value:
        case datetime():
            day = value.date().isoformat()
            return day if value.time() == time() else f"{day} {_format_time(value.time())}"
        case date():
            return value.isoformat()
        case time():
            return value.isoformat("seconds" if value.second else "minutes")
        case timedelta():
            return str(timedelta(seconds=round(value.total_seconds())))
        case _:
            return ""
