"""Bytes to text: what a file says, or why it is none. Never guesses silently where two readings are likely.

`text_stream` decides the same for a large file, of which it holds a part at a time.

Tried in this order: a byte order mark, UTF-8, UTF-16 by its pattern of NULs, the encoding that the file itself declares,
a Western single-byte page when that reads like words, and for longer texts charset-normalizer among the old national encodings.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.documents.code_pages import get_label_codec


class BinaryFileError(UnreadableFileError):
    """The bytes are a picture, an archive, a program: no text."""


class EmptyFileError(UnreadableFileError):
    """The file is empty, or there is nothing in it to index."""


class EncryptedFileError(UnreadableFileError):
    """The file asks for a password, and none of those given opens it."""

    def __init__(self, kind: str, *, passwords_tried: bool = False) -> None:
        opens = "none of the passwords given opens it" if passwords_tried else "give its password in a file: --password-file FILE"
        super().__init__(f"{kind} is encrypted; {opens}")


class UnknownEncodingError(UnreadableFileError):
    """The bytes may be text, but in which encoding cannot be told."""


# A longer mark stands before the shorter one that it begins with.
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# Beginnings that no text has. Formats whose first bytes are NULs or control characters need no entry but get a better message.
_MAGIC: Final = (
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "gzip-compressed"),
    (b"\x1f\x9d", "compressed"),
    (b"BZh9", "bzip2-compressed"),
    (b"\xfd7zXZ", "xz-compressed"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"\xca\xfe\xba\xbe", "a Java class or a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document"),
    (b"{\\rtf1", "an RTF document"),
    (b"OggS\0", "Ogg audio"),
    (b"RIFF", "WAV audio or a film"),
    (b"ID3\x03", "MP3 audio"),
    (b"ID3\x04", "MP3 audio"),
    (b"fLaC\0", "FLAC audio"),
    (b"wOF2", "a font"),
)

_TAR: Final = re.compile(rb".{257}ustar[\0 ]", re.DOTALL)
_PIXELS: Final = (  # pictures written as text
    (re.compile(rb"\s*/\*\s*XPM\s*\*/|! XPM2\b"), "an XPM image"),
    (
        re.compile(rb"\s*(?:/\*.{0,2000}?\*/\s*)?#define\s+\w+_width\s+\d+\s+#define\s+\w+_height\s+\d+", re.DOTALL),
        "an XBM image",
    ),
    (re.compile(rb"P[1-6]\s{0,9}\n(?:#[^\n]*\n)*\s*\d+\s+\d+\s+\d"), "a PNM image"),
)

# Backspaces overstrike in old manuals and escapes colour a log; the other controls, beyond a few, are no text.
_CONTROLS: Final = bytes({*range(1, 32), 127} - set(b"\b\t\n\v\f\r\x1b"))
_NO_CONTROLS: Final = bytes(set(range(256)) - set(_CONTROLS))
_CONTROLS_ALLOWED: Final = 3
_CONTROLS_SHARE: Final = 0.03

# A log that was cut off, or written by a program in C, holds a few NULs, a file of records many. A row of them counts as one.
_NULS_SHARE: Final = 0.03  # of the other characters
_NULS: Final = re.compile("\0+")
_NUL_BYTES: Final = re.compile(b"\0+")
_BLANK_NULS: Final = re.compile(r"(?<!\0)\0++(?=\s|\Z)")  # begun once a row: a file may begin with megabytes of them

_ASCII_BYTES: Final = bytes(range(128))
_UTF8_SEQUENCE: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)

_LETTERS: Final = "A-Za-zƒŠŒŽšœžŸªºÀ-ÖØ-öø-ÿ"
_HIGH_LETTER: Final = re.compile("[ƒŠŒŽšœžŸªºÀ-ÖØ-öø-ÿ]")
_LETTER: Final = re.compile(f"[{_LETTERS}]")
# Marks of a wrong page: a symbol inside a word, a capital after a small letter, accented letters in a row, odd symbols.
_UNLIKELY_SEQUENCE: Final = re.compile(
    f"(?<=[{_LETTERS}])[‚„†‡ˆ‰‹›˜¡-¬®-¶¸¹»-¿×÷](?=[{_LETTERS}])|(?<=[a-zß-öø-ÿ])[ŠŒŽŸÀ-ÖØ-Þ]|[ŠŒŽšœžŸÀ-ÖØ-öø-ÿ]{{3}}|[ƒˆ˜¤¦¨¬¯¸ÿ]"
)
_UNLIKELY_SHARE: Final = 0.03
_HIGH_LETTERS_SHARE: Final = 0.45
_SYMBOLS_ALLOWED: Final = 3  # that need no letters beside them

# The old encodings charset-normalizer chooses from: among all that Python knows, rare ones win by accident.
_NATIONAL_ENCODINGS: Final = (
    "cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp874 iso8859_2 iso8859_5 iso8859_6 iso8859_7 iso8859_8 koi8_r "
    "koi8_u cp866 cp850 mac_roman cp932 shift_jis euc_jp gb18030 big5 cp949 euc_kr"
)
_GUESS_HIGH_BYTES: Final = 24  # fewer do not tell one encoding from another
_GUESS_CHAOS: Final = 0.1
_GUESS_COHERENCE: Final = 0.2

_CHARSET_DECLARATION: Final = re.compile(
    rb"""<meta[^>]{0,500}?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)""", re.I
)
_CHARSET_SEARCH_BYTES: Final = 4_096


def decode(data: bytes, *, declared: str | None = None) -> str:
    """Return the text of some bytes: lines end in \\n, no byte order mark, no NUL; empty for no bytes.

    `declared` is the encoding that the file itself names, honoured when the bytes are no valid UTF-8.
    Raises BinaryFileError for binary data, UnreadableFileError for damaged text, UnknownEncoding where no reading is likely.
    """
    text = _decode_bytes(data, declared)
    return replace_nuls(text.replace("\r\n", "\n").replace("\r", "\n"))


def replace_nuls(text: str) -> str:
    """Return a text with a blank for each row of NULs that stands between words."""
    return _NULS.sub(" ", _BLANK_NULS.sub("", text)) if "\0" in text else text


def is_binary(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is no text. Reads no more than SNIFF_BYTES of them."""
    head = head[:SNIFF_BYTES]
    return not find_byte_order_mark(head) and (
        find_magic(head) is not None
        or (_find_binary_error(head) is not None and (b"\0" not in head or _decode_bare_utf16(head[: len(head) & ~1]) is None))
    )


def find_declared_charset(data: bytes) -> str | None:
    """Return the Python codec that an HTML <meta> or an XML declaration names; None without one, or one unknown or no text
    encoding."""
    match = _CHARSET_DECLARATION.search(data[:_CHARSET_SEARCH_BYTES])
    if not match:
        return None
    return get_label_codec((match[1] or match[2]).decode("ascii", "replace"))


def _decode_bytes(data: bytes, declared: str | None) -> str:
    if mark := find_byte_order_mark(data):
        return _decode_marked(data, *mark)
    if kind := find_magic(data):
        raise make_binary_error(kind)
    if b"\0" in data and (text := _decode_bare_utf16(data)) is not None:
        return text
    if error := _find_binary_error(data):
        raise error
    try:
        return data.decode()
    except UnicodeDecodeError as broken:
        return data.decode(_choose_legacy(data, declared, broken.start))


def find_byte_order_mark(data: bytes) -> tuple[bytes, str] | None:
    """Return the byte order mark that some bytes begin with, and the codec that it names."""
    return next((mark for mark in _BYTE_ORDER_MARKS if data.startswith(mark[0])), None)


def _decode_marked(data: bytes, mark: bytes, encoding: str) -> str:
    try:
        text = data[len(mark) :].decode(encoding).rstrip("\0")
    except UnicodeDecodeError as error:
        raise make_broken_error(encoding, error.start + len(mark)) from error
    counts = NulCounts()
    counts.add(text)
    if text and counts.are_too_many:
        raise make_nul_error()
    return text


def make_broken_error(encoding: str, position: int) -> UnreadableFileError:
    """Return what is said of bytes that are in an encoding but for those at a position."""
    return UnreadableFileError(f"broken {encoding[:6].rstrip('-').upper()} at byte {position:,}; save it as UTF-8")


def make_nul_error() -> BinaryFileError:
    """Return what is said of bytes with NULs that are no text."""
    return BinaryFileError("binary (NUL characters), not text")


def make_binary_error(kind: str) -> BinaryFileError:
    """Return what is said of bytes of a kind that is no text."""
    return BinaryFileError(f"binary ({kind}), not text")


def _find_binary_error(data: bytes) -> BinaryFileError | None:
    """Return what is said of bytes with too many NULs or control characters."""
    counts = NulCounts()
    counts.add(data)
    if counts.are_too_many:
        return make_nul_error()
    kind = describe_controls(count_controls(data), counts.others)
    return make_binary_error(kind) if kind else None


def find_magic(head: bytes) -> str | None:
    """Return what kind of binary data, or of picture written as text, begins like this."""
    if _TAR.match(head):
        return "a tar archive"
    head = head[:SNIFF_BYTES]
    known = (kind for magic, kind in _MAGIC if head.startswith(magic))
    return next(known, None) or next((kind for pattern, kind in _PIXELS if pattern.match(head)), None)


@dataclass(slots=True)
class NulCounts:
    """The NULs of bytes or of a text, counted over its pieces."""

    rows: int = 0  # of NULs one after the other
    others: int = 0  # that are none
    in_row: bool = False  # at the end of the last piece

    def add(self, piece: bytes | str) -> None:
        """Count a piece."""
        if piece and (b"\0" if isinstance(piece, bytes) else "\0") not in piece:  # type: ignore[operator]
            self.others, self.in_row = self.others + len(piece), False
            return
        rows = _NULS.findall(piece) if isinstance(piece, str) else _NUL_BYTES.findall(piece)
        goes_on = self.in_row and piece[:1] in ("\0", b"\0")
        self.rows += len(rows) - goes_on
        self.others += len(piece) - sum(map(len, rows))
        self.in_row = piece[-1:] in ("\0", b"\0") if piece else self.in_row

    @property
    def are_too_many(self) -> bool:
        """Return whether they speak against text."""
        return self.rows > self.others * _NULS_SHARE


def count_controls(data: bytes) -> int:
    """Count the control characters that no text needs."""
    return len(data.translate(None, _NO_CONTROLS))


def describe_controls(controls: int, size: int) -> str | None:
    """Return that data of so many bytes is binary where too many of them are control characters."""
    return "control characters" if controls > max(_CONTROLS_ALLOWED, size * _CONTROLS_SHARE) else None


def _decode_bare_utf16(data: bytes) -> str | None:
    """Decode UTF-16 without a mark: NULs on one side only, and nearly all characters from two blocks (a script, ASCII)."""
    if len(data) % 2:
        return None
    little = b"\0" in data[1::2]
    if little == (b"\0" in data[::2]):
        return None
    if not has_two_blocks(Counter(data[1::2] if little else data[::2])):
        return None
    try:
        text = data.decode("utf-16-le" if little else "utf-16-be")
    except UnicodeDecodeError:
        return None
    data = text.encode()
    return None if find_magic(data) or describe_controls(count_controls(data), len(data)) else text


def has_two_blocks(blocks: Counter[int]) -> bool:
    """Return whether nearly all characters, counted by their block, are from two of them."""
    return sum(count for _, count in blocks.most_common(2)) >= 0.9 * blocks.total()


def choose_codec(data: bytes, *, declared: str | None = None) -> str:
    """Return the Python codec that `decode` reads bytes in that have no byte order mark and no NUL.

    Raises UnreadableFileError for damaged text, UnknownEncodingError where no reading is likely.
    """
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return _choose_legacy(data, declared, error.start)
    return "utf-8"


def _choose_legacy(data: bytes, declared: str | None, position: int) -> str:
    """Choose how to read text that is no valid UTF-8 from byte `position` on."""
    if declared and declared != "utf-8" and _can_decode(data, declared):  # else the file is wrong about itself
        return declared
    counts = LegacyCounts()
    counts.add(data)
    encoding = counts.choose_encoding(position)
    if encoding is None and (encoding := guess_national(data[:SNIFF_BYTES], counts.high)) and not _can_decode(data, encoding):
        encoding = None
    if encoding is None:
        raise make_unknown_error(position)
    return encoding


def _can_decode(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def make_unknown_error(position: int) -> UnknownEncodingError:
    """Return what is said of bytes in no likely encoding, which are no valid UTF-8 from a position on."""
    return UnknownEncodingError(f"no valid UTF-8 at byte {position:,}, and no other encoding is likely; save it as UTF-8")


@dataclass(slots=True)
class LegacyCounts:
    """What tells how to read bytes that are no valid UTF-8: counted over pieces, each but the last ending with an ASCII byte.

    No sequence of several bytes, and no mark of a wrong page, runs across an ASCII byte.
    """

    high: int = 0  # bytes that are not ASCII
    sequences: int = 0  # characters of UTF-8 among them …
    sequence_bytes: int = 0  # … of so many bytes
    letters: int = 0  # read as Windows-1252
    accented: int = 0  # of those
    unlikely: int = 0  # marks of a wrong page
    western: bool = True  # every byte is a character of Windows-1252

    def add(self, piece: bytes, *, before: bytes = b"") -> None:
        """Count a piece; `before` is the byte in front of it."""
        sequences = _UTF8_SEQUENCE.findall(piece)
        self.high += len(piece.translate(None, _ASCII_BYTES))
        self.sequences += len(sequences)
        self.sequence_bytes += sum(map(len, sequences))
        try:
            text = piece.decode("cp1252")
        except UnicodeDecodeError:
            self.western = False
            return
        self.letters += sum(1 for _ in _LETTER.finditer(text))
        self.accented += sum(1 for _ in _HIGH_LETTER.finditer(text))
        self.unlikely += sum(1 for _ in _UNLIKELY_SEQUENCE.finditer(before.decode("ascii") + text))

    def choose_encoding(self, position: int) -> str | None:
        """Return Windows-1252 when that gives words: few accented letters among the others, and no marks of a wrong page.

        Raises UnreadableFileError for what is rather UTF-8, broken at `position`.
        """
        if self.sequences >= self.high - self.sequence_bytes:
            raise make_broken_error("utf-8", position)
        in_words = self.accented <= self.letters * _HIGH_LETTERS_SHARE and self.high <= self.letters + _SYMBOLS_ALLOWED
        return "cp1252" if self.western and in_words and self.unlikely <= self.high * _UNLIKELY_SHARE else None


def guess_national(head: bytes, high: int) -> str | None:
    """Return the encoding that charset-normalizer is confident of, by the first SNIFF_BYTES of bytes of which `high` are not
    ASCII; not all of them need be text in it."""
    if high < _GUESS_HIGH_BYTES:
        return None
    from charset_normalizer import from_bytes

    best = from_bytes(_trim_to_whole_lines(head).replace(b"\0", b""), cp_isolation=_NATIONAL_ENCODINGS.split()).best()
    if best is None or best.chaos > _GUESS_CHAOS or (best.coherence < _GUESS_COHERENCE and not best.multi_byte_usage):
        return None
    return best.encoding


def _trim_to_whole_lines(head: bytes) -> bytes:
    """Return the bytes without a character that the end may have cut."""
    return head if len(head) < SNIFF_BYTES else head[: head.rfind(b"\n") + 1] or head
