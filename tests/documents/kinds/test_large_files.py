"""Tables and records of any size are read block by block, as they are read whole; what needs too much memory is told so."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.core.settings import PARSE_MEMORY_BYTES
from vecsearch.documents import loaders, parser_worker, wire_format
from vecsearch.documents.decoding import BinaryFileError
from vecsearch.documents.loaders import raw_file, table
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.parser_process import ParseRequest, ParserProcess

cells = st.text(st.sampled_from('abc é1;,\t"\n猫'), max_size=6)
tables = st.lists(st.lists(cells, min_size=1, max_size=4), max_size=12)


def load_both_ways(path, portion=40):
    """Return what a file gives in portions, and what it gives whole."""
    with patch.object(raw_file, "STREAM_MIN_BYTES", 0), patch.object(table, "PORTION_CHARACTERS", portion):
        parted = load_or_fail(RawFile("f", path.suffix, path=path))
    return parted, load_or_fail(RawFile("f", path.suffix, content=path.read_bytes()))


def load_or_fail(raw):
    try:
        return [item for item in loaders.load(raw) if isinstance(item, ParsedDocument)]
    except UnreadableFileError as error:
        return str(error)


def list_rows(document):
    """Return each line of a document with its row."""
    sections = [*document.sections, None]
    for section, following in pairwise(sections):
        text = document.text[section.start : following.start if following else None]
        yield from enumerate(text.rstrip("\n").split("\n"), section.location["rows"])


@settings(max_examples=60, deadline=None)
@given(tables, st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]), st.integers(1, 60))
def test_a_table_in_portions_is_the_table_and_knows_its_rows(tmp_path_factory, rows, delimiter, encoding, portion):
    path = tmp_path_factory.mktemp("t") / ("t.tsv" if delimiter == "\t" else "t.csv")
    lines = [delimiter.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    parted, whole = load_both_ways(path, portion)
    if isinstance(whole, str):
        assert parted == whole
        return
    assert "".join(document.text for document in parted) == whole[0].text
    assert [pair for document in parted for pair in list_rows(document)] == list(list_rows(whole[0]))
    starts = [document.portion.start for document in parted if document.portion]
    assert starts == sorted(starts) and all(document.text.strip() for document in parted)
    assert [document.portion.is_last for document in parted if document.portion] in ([], [False] * (len(parted) - 1) + [True])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sep.csv", "sep=|\nname|city\nAnna|Oslo\n"),
        ("inch.tsv", 'size\tname\n5"\tbolt\n6\tnut\n'),
        ("above.csv", "# by hand\nA title\nname,age\nAnna,30\nBen,40\n"),
        ("one.csv", "word\nother\n"),
        ("blank.csv", "\n\n\n"),
    ],
)
def test_what_stands_above_a_table_and_lone_quotes_are_read_alike(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    parted, whole = load_both_ways(tmp_path / name, 5)
    assert isinstance(whole, str) == isinstance(parted, str)
    assert parted == whole if isinstance(whole, str) else "".join(each.text for each in parted) == whole[0].text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1251", "cp1252"])
def test_records_are_read_line_by_line_in_every_encoding(tmp_path, encoding):
    words = "Это длинная запись о мосте через реку" if encoding == "cp1251" else "une phrase déjà écrite à la main, très simple"
    path = tmp_path / "r.jsonl"
    path.write_bytes("".join(json.dumps({"id": n, "text": words}, ensure_ascii=False) + "\n" for n in range(50)).encode(encoding))
    with patch.object(RawFile, "data", property(lambda raw: pytest.fail("all of it was read at once"))):
        documents = load_or_fail(RawFile("r", ".jsonl", path=path))
    assert [(document.id, document.text) for document in documents] == [(str(n), words) for n in range(50)]


def test_a_broken_line_costs_no_other(tmp_path):
    (tmp_path / "r.jsonl").write_bytes(
        b'{"id": 1, "text": "one"}\n{"id": 2, "text": "\x81\x8d\xff"}\n{"id": 3, "text": "three"}\n'
    )
    items = list(loaders.load(RawFile("r", ".jsonl", path=tmp_path / "r.jsonl")))
    assert [item.id for item in items if isinstance(item, ParsedDocument)] == ["1", "3"]
    assert [item.message[:7] for item in items if isinstance(item, ParseWarning)] == ["line 2:"]
    (tmp_path / "b.jsonl").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    with pytest.raises(BinaryFileError):
        list(loaders.load(RawFile("b", ".jsonl", path=tmp_path / "b.jsonl")))


def test_what_could_not_be_sent_for_want_of_memory_is_not_sent_again(tmp_path, monkeypatch):
    """A text that is read, but too large to be packed."""
    (tmp_path / "f.txt").write_text("words")
    pack = wire_format.pack

    def pack_little(frame):
        if any(frame.get("items", ())):
            raise MemoryError
        return pack(frame)

    monkeypatch.setattr(wire_format, "pack", pack_little)
    with (tmp_path / "answers").open("w+b") as answers:
        request: dict[str, Any] = {
            "path": str(tmp_path / "f.txt"),
            "name": "f.txt",
            "known": None,
            "rows": None,
            "stream": False,
            "seconds": 1_000.0,
            "media": [],
            "digests": {},
            "split": None,
        }
        parser_worker._answer(request, [], None, answers)
        answers.seek(0)
        frame, _ = wire_format.FrameReader(answers).receive()
    assert frame["items"] == []
    assert frame["status"] == ["failed", "unreadable", parser_worker.format_memory_error()]


def test_a_file_that_needs_too_much_memory_says_so_and_the_next_one_is_read(tmp_path):
    """Markdown is read whole."""
    with (tmp_path / "large.md").open("w") as file:
        for _ in range(PARSE_MEMORY_BYTES // 4_000_000):
            file.write("\N{PILE OF POO} word\n" * 100_000 + "words " * 200_000)
    (tmp_path / "small.txt").write_text("small")
    files = [tmp_path / "large.md", tmp_path / "small.txt"]
    with ParserProcess() as parser:
        results = parser.read(ParseRequest(path, path.name, path.stat().st_size) for path in files)
        with pytest.raises(UnreadableFileError, match="needs more than 512 MB of memory"):
            list(next(results).read_items())
        assert [item.text for item in next(results).read_items() if isinstance(item, ParsedDocument)] == ["small"]
