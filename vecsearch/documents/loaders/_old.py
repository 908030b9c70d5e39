"""What a file says: one table from suffix to loader. Reads no disk and stores nothing.

To read a new format, write one function from (bytes, file name) to `Loaded` and give its suffixes a row in `SUFFIXES`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

from vecsearch.core.errors import InputError, UnreadableFile
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.core.types import Draft, Loaded
from vecsearch.documents.text import NoText, NotText, UnknownEncoding, declared_charset, decode, looks_binary

Loader: TypeAlias = Callable[[bytes, str], Loaded]


def load_bytes(data: bytes, *, suffix: str, name: str) -> Loaded:
    """The documents of a file. `suffix` is lower case with its dot, or empty; `name` becomes the id of a file's one document.

    Raises NotText, NoText, or UnreadableFile for text that is damaged.
    """
    loaded = SUFFIXES.get(suffix, _unknown)(data, name)
    if not loaded.errors and not any(draft.text.strip() or draft.title for draft in loaded.drafts):
        raise NoText("no text in it" if data else "the file is empty")
    return loaded


def _one(name: str, text: str, title: str | None = None) -> Loaded:
    return Loaded((Draft(name, text, title),))


# -- text as it stands


def _text(data: bytes, name: str) -> Loaded:
    return _one(name, decode(data))


def _xml(data: bytes, name: str) -> Loaded:
    return _one(name, decode(data, declared=declared_charset(data)))


def _unknown(data: bytes, name: str) -> Loaded:
    """A file without a known suffix: only what clearly is text."""
    if looks_binary(data):
        decode(data)  # says what kind of binary
        raise NotText("binary, not text")
    try:
        return _text(data, name)
    except UnknownEncoding as error:
        raise NotText("binary or in an unknown encoding") from error


def _html(data: bytes, name: str) -> Loaded:
    from vecsearch.documents.html import html_text

    title, text = html_text(decode(data, declared=declared_charset(data)))
    return _one(name, text, title)


# -- Markdown: the text unchanged, its title found

_FRONT_MATTER: Final = re.compile(r"\A(---|\+\+\+)[ \t]*\n(.*?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_FRONT_TITLE: Final = re.compile(r"^title[ \t]*[:=][ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)
_HEADING_MAX: Final = 1_000  # characters looked at: a longer one is no title
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX: Final = re.compile(r" {0,3}#{1,6}[ \t]+(.*)")
_ATX_END: Final = re.compile(r"[ \t]#+[ \t]*$")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_PARAGRAPH: Final = re.compile(r"( {4}|\t| {0,3}([>|#<]|[-+*][ \t]|\d+[.)][ \t]|[-*_=]{3,}[ \t]*$))")
_MARKUP: Final = (
    (re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])"), r"\1"),  # links and images
    (re.compile(r"</?[A-Za-z][^>]*>"), ""),
    (re.compile(r"[ \t]*\{[#.:][^}]*\}[ \t]*$"), ""),  # attributes
    (re.compile(r"(\*\*|__|~~)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w\\])([*_])(?=\S)(.+?)(?<=[^\s\\])\1(?!\w)"), r"\2"),
    (re.compile(r"(`+)(.+?)\1"), r"\2"),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),  # escapes
)


def _markdown(data: bytes, name: str) -> Loaded:
    text = decode(data)
    return _one(name, text, markdown_title(text))


def markdown_title(text: str) -> str | None:
    """The `title` of the front matter, else the first heading outside code, without markup; None without either."""
    front = _FRONT_MATTER.match(text)
    if front and (given := _FRONT_TITLE.search(front[2])) and (title := _unquoted(given[1])):
        return title
    headings = _headings(text[front.end() :] if front else text)
    return next(filter(None, map(_plain, headings)), None)


def _headings(text: str) -> Iterator[str]:
    fence, before = "", ""
    for line in text.split("\n"):
        opening = _FENCE.match(line)
        if fence:
            if opening and opening[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opening:
            fence = opening[1]
        elif heading := _ATX.match(line):
            yield _ATX_END.sub("", f" {heading[1]}")
        elif before.strip() and _UNDERLINE.match(line) and not _NO_PARAGRAPH.match(before):
            yield before
        before = "" if fence or opening else line


def _plain(heading: str) -> str:
    heading = heading[:_HEADING_MAX]
    for pattern, replacement in _MARKUP:
        heading = pattern.sub(replacement, heading)
    return " ".join(heading.split())


def _unquoted(value: str) -> str:
    """A one-line YAML or TOML value; empty for a block, which begins on the next line."""
    value = value.strip()
    if value[:1] in ("'", '"'):
        quoted = re.match(r"""(['"])(.*?)(?<!\\)\1""", value)
        return quoted[2].strip() if quoted else ""
    return "" if value[:1] in ("|", ">", "[", "{") else re.sub(r"\s+#.*$", "", value)


# -- tables: a row a line, each value with its column's name

_DELIMITERS: Final = ",;\t|"
_SNIFF_ROWS: Final = 50
_ONE_COLUMN: Final = "\x1f"  # a delimiter that no text has
_AGREEMENT: Final = 0.6  # the share of rows that must have the same number of columns
_NUMBER: Final = re.compile(r"[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?%?$")
_NAME_MAX: Final = 100  # characters in a column's name, which is repeated on every line
_CELL_MAX: Final = 2**31 - 1  # characters: the widest that every platform's csv takes


def _csv(data: bytes, name: str) -> Loaded:
    text = decode(data)
    told = re.match(r"sep=([,;\t|:])\n", text)  # Excel's way to say it
    return _table(name, text[told.end() :] if told else text, told[1] if told else _delimiter(text))


def _tsv(data: bytes, name: str) -> Loaded:
    return _table(name, decode(data), "\t")


def _table(name: str, text: str, delimiter: str) -> Loaded:
    # tab-separated files often hold lone quotes, which mean inches there
    quoting = csv.QUOTE_NONE if delimiter == "\t" and text.count('"') % 2 else csv.QUOTE_MINIMAL
    try:
        rows = list(_rows(text, delimiter, quoting))
    except csv.Error as error:
        raise UnreadableFile(f"no table: {error}") from error
    header = rows[0] if len(rows) > 1 and _is_header(rows[0]) else []
    return _one(name, "\n".join(_row_line(header, row) for row in rows[bool(header) :]))


def _rows(text: str, delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Iterator[list[str]]:
    """The rows that hold anything, white space in their cells collapsed."""
    csv.field_size_limit(_CELL_MAX)
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, skipinitialspace=True):  # type: ignore[arg-type]
        cells = [" ".join(cell.split()) for cell in row]
        if any(cells):
            yield cells


def _delimiter(text: str) -> str:
    """The one under which most rows have the same number of columns, then the one that gives more columns."""
    head = text if len(text) <= SNIFF_BYTES else text[: text.rfind("\n", 0, SNIFF_BYTES) + 1] or text[:SNIFF_BYTES]
    agreement, _, place = max((*_agreement(head, each), -place) for place, each in enumerate(_DELIMITERS))
    return _DELIMITERS[-place] if agreement >= _AGREEMENT else _ONE_COLUMN


def _agreement(text: str, delimiter: str) -> tuple[float, int]:
    """The share of rows that have the commonest number of columns, and that number; none where the first row is not parted."""
    widths = [len(row) for row in islice(_rows(text, delimiter), _SNIFF_ROWS)]
    width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
    return (count / len(widths), width) if width > 1 and widths[0] > 1 else (0.0, 0)


def _is_header(row: Sequence[str]) -> bool:
    """Whether a first row names columns: more than one, short, and not numbers only."""
    return len(row) > 1 and max(map(len, row)) <= _NAME_MAX and not all(_NUMBER.match(cell) for cell in row if cell)


def _row_line(header: Sequence[str], row: Sequence[str]) -> str:
    names = [*header, *[""] * (len(row) - len(header))]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell)


# -- JSON lines: one document a line

_KEYS: Final = frozenset(("id", "_id", "text", "title", "metadata"))
_JSON_TYPES: Final = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
}
_HASHED: Final = "sha256:"  # what an id begins with that was made from the line itself


def _json_lines(data: bytes, _name: str) -> Loaded:
    """The good lines as documents, the bad ones as errors that name the line."""
    drafts: dict[str, Draft] = {}
    line_of: dict[str, int] = {}
    errors: list[str] = []
    for number, line in enumerate(_lines(data), start=1):
        try:
            draft = _json_draft(line) if line.strip() else None
            if draft and draft.id in drafts:
                raise InputError(_again(draft.id, line_of[draft.id]))
        except (InputError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else error
            errors.append(f"line {number}: {reason}")
        else:
            if draft:
                drafts[draft.id], line_of[draft.id] = draft, number
    return Loaded(tuple(drafts.values()), tuple(errors), itemised=True)


def _lines(data: bytes) -> Sequence[str | bytes]:
    """Lines as text; as bytes where the whole cannot be decoded, so that one broken line does not cost the others."""
    try:
        return decode(data).split("\n")
    except UnreadableFile as error:
        if isinstance(error, NotText) or b"\0" in data:
            raise
        return data.split(b"\n")


def _json_draft(line: str | bytes) -> Draft:
    value = _parsed(line)
    if not isinstance(value, dict):
        raise InputError(f"expected an object, got {_kind(value)}")
    identifier, extra = _identified(value)
    given = _optional(value, "metadata", dict) or {}
    text, title = _optional(value, "text", str) or "", _optional(value, "title", str)
    return Draft(identifier, text, title, {**extra, **given})


def _parsed(line: str | bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8-sig") if isinstance(line, bytes) else line, parse_constant=_refused)
    except UnicodeDecodeError as error:
        raise InputError(f"broken UTF-8 at byte {error.start:,} of the line") from error
    except json.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error.msg} at character {error.pos + 1:,}") from error
    except ValueError as error:  # Python refuses integers of thousands of digits
        raise InputError(f"not valid JSON: {str(error).partition(';')[0]}") from error


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _identified(value: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The id of an object, made from its content where it has none, and the keys that become metadata."""
    key = "id" if value.get("id") is not None else "_id"
    given = value.get(key)
    if given is None:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
        given = _HASHED + hashlib.sha256(canonical.encode()).hexdigest()[:32]
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise InputError(f"the id must be a string or an integer, got {_kind(given)}")
    spare = {"_id"} if key == "id" and value.get("_id") is not None else set()
    return str(given), {name: each for name, each in value.items() if name not in _KEYS or name in spare}


def _optional(value: Mapping[str, Any], key: str, kind: type) -> Any:
    """A key's value; None when it is missing or null."""
    given = value.get(key)
    if given is not None and not isinstance(given, kind):
        raise InputError(f"{key!r} must be {_JSON_TYPES[kind]}, got {_kind(given)}")
    return given


def _kind(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "null")


def _again(identifier: str, line: int) -> str:
    if identifier.startswith(_HASHED):
        return f"the same as line {line:,}; give each an id to keep both"
    return f"the id {identifier!r} was given on line {line:,} already"


# -- the table

_PLAIN_SUFFIXES: Final = (
    ".txt .text .log .rst .org .adoc .asciidoc .tex .bib .srt .vtt .json .json5 .yaml .yml .toml .ini .cfg .conf .env "
    ".properties .py .pyi .js .mjs .cjs .ts .tsx .jsx .vue .svelte .css .scss .less .c .h .cc .cpp .cxx .hh .hpp .cs .rs .go "
    ".java .kt .kts .scala .groovy .gradle .rb .php .pl .pm .lua .swift .m .mm .r .jl .hs .ml .ex .exs .erl .clj .lisp .el "
    ".dart .nim .zig .f90 .sh .bash .zsh .fish .ps1 .bat .sql .graphql .proto .tf .cmake .mk .diff .patch"
)

SUFFIXES: Final[Mapping[str, Loader]] = {
    **dict.fromkeys(_PLAIN_SUFFIXES.split(), _text),
    **dict.fromkeys((".xml", ".rss", ".atom"), _xml),
    **dict.fromkeys((".md", ".markdown"), _markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _html),
    ".csv": _csv,
    ".tsv": _tsv,
    **dict.fromkeys((".jsonl", ".ndjson"), _json_lines),
}
"""Which loader reads a suffix. A file of any other suffix, or none, is read as text when it looks like text."""
