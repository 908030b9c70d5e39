"""No file can hang or crash the program that reads it, or exhaust its memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import (
    ChunkedParts,
    ChunkSpan,
    MediaContent,
    MediaKind,
    ParsedDocument,
    ParseWarning,
    Section,
    make_media_location,
)
from vecsearch.core.settings import PARSE_SECONDS
from vecsearch.documents import wire_format
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError
from vecsearch.documents.parser_process import ParseRequest, ParserProcess


def read(parser, *paths, known=None):
    """Yield (name, items or the error) of each file."""
    for reading in parser.read(
        ParseRequest(path, path.name, path.stat().st_size if path.exists() else 0, known) for path in paths
    ):
        try:
            yield reading.request.name, list(reading.read_items())
        except UnreadableFileError as error:
            yield reading.request.name, error


@pytest.fixture
def hostile(monkeypatch, tmp_path):
    """Register a loader that does what a file says, as the worst of parsers would: `.evil` holds Python."""
    package = tmp_path / "with-evil"
    package.mkdir()
    (package / "sitecustomize.py").write_text(
        "import sys\n"
        "from vecsearch.documents import loaders\n"
        "loaders.LOADERS = {**loaders.LOADERS, '.evil': 'evil:load'}\n"
        "import types\n"
        "module = types.ModuleType('vecsearch.documents.loaders.evil')\n"
        "def load(raw):\n"
        "    from vecsearch.core.parsed import ParsedDocument\n"
        "    space = {'raw': raw, 'ParsedDocument': ParsedDocument}\n"
        "    exec(raw.data.decode(), space)\n"
        "    return space['items']\n"
        "module.load = load\n"
        "sys.modules[module.__name__] = module\n"
    )
    monkeypatch.setattr(sys, "path", [str(package), *sys.path])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))

    def write(name, code):
        (tmp_path / name).write_text(code)
        return tmp_path / name

    return write


GOOD = "items = [ParsedDocument(raw.name, 'good')]"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import time; time.sleep(600)", "took longer than 4 seconds by the clock"),
        ("while True: pass", "took longer than 1 seconds"),
        ("import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(600)", "took longer than 4"),
    ],
    ids=lambda value: value[:30],
)
def test_a_file_that_never_ends_fails_and_the_next_is_read(hostile, code, reason):
    check_misbehaviour(hostile, code, reason, seconds=1)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "crashed its parser"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed its parser (SIGSEGV)"),
        ("import os; os._exit(3)", "crashed its parser (status 3)"),
        ("items = [bytearray(1 << 20) for _ in range(4_000)]", "needs more than 512 MB of memory"),
        ("items = (ParsedDocument(raw.name, 'x' * 1_000_000) for _ in range(100_000))", "far more text than its size allows"),
        ("raise ValueError('first line\\nsecond line')", "damaged: ValueError: first line second line"),
        ("def f(): return f()\nf()", "damaged: RecursionError"),
        ("import os; print('noise', flush=True); os.write(1, b'noise'); raise KeyError('k')", "damaged: KeyError: 'k'"),
    ],
    ids=lambda value: value[:30],
)
def test_a_file_that_misbehaves_fails_with_the_reason_and_the_next_is_read(hostile, code, reason):
    check_misbehaviour(hostile, code, reason, seconds=PARSE_SECONDS)


def check_misbehaviour(hostile, code, reason, *, seconds):
    bad_file, good_file = hostile("bad.evil", code), hostile("good.evil", GOOD)
    with ParserProcess(seconds=seconds) as parser:
        (_, error), (_, items) = read(parser, bad_file, good_file)
    assert reason in str(error)
    assert "\n" not in str(error)
    assert items == [ParsedDocument("good.evil", "good")]


def test_time_that_a_file_waits_for_its_reader_is_not_its_own(hostile):
    """Half a second of computing is allowed, and two by the clock; the reader comes back later than that to a full pipe."""
    code = "items = (ParsedDocument(str(n), 'x' * 1_000_000) for n in range(30))"
    with ParserProcess(seconds=0.5) as parser:
        items = next(parser.read([ParseRequest(hostile("a.evil", code), "a")])).read_items()
        next(items)
        time.sleep(3)
        assert len(list(items)) == 29


def test_what_a_file_gave_before_it_crashed_comes_first(hostile):
    code = "def give():\n yield ParsedDocument('a', 'x' * 300_000)\n import os; os.abort()\nitems = give()"
    with ParserProcess() as parser:
        items = next(parser.read([ParseRequest(hostile("a.evil", code), "a")])).read_items()
        document = next(items)
        assert isinstance(document, ParsedDocument) and document.id == "a"
        with pytest.raises(UnreadableFileError, match="crashed"):
            next(items)


def test_what_was_asked_for_ahead_is_read_once_whatever_happens_to_the_file_before_it(hostile, tmp_path):
    """Three files of sixty end their worker, which has been asked for all the others by then."""
    note = "import os; open(raw.path.with_suffix('.read'), 'a').write('x'); "
    ends = {10: "os.abort()", 11: "os.kill(os.getpid(), 9)", 40: "os._exit(3)"}
    files = [hostile(f"{n:02}.evil", note + ends.get(n, GOOD)) for n in range(60)]
    with ParserProcess() as parser:
        answers = [read_one(result) for result in parser.read(ParseRequest(file, file.stem) for file in files)]
    assert [n for n, answer in enumerate(answers) if isinstance(answer, UnreadableFileError)] == sorted(ends)
    assert all("crashed" in str(answers[n]) for n in ends)
    assert [answer.id for answer in answers if isinstance(answer, ParsedDocument)] == [
        f"{n:02}" for n in range(60) if n not in ends
    ]
    assert all(file.with_suffix(".read").read_text() == "x" for file in files)


def read_one(result):
    try:
        return next(result.read_items())
    except UnreadableFileError as error:
        return error


def test_nothing_stays_behind_in_the_temporary_folder(hostile, monkeypatch, tmp_path):
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    leave = "import tempfile; tempfile.mkdtemp(); tempfile.NamedTemporaryFile(delete=False).write(b'x'); "
    bad_file, good_file = hostile("bad.evil", leave + "import os; os.abort()"), hostile("good.evil", leave + GOOD)
    with ParserProcess() as parser:
        assert len(list(read(parser, bad_file, good_file, bad_file, good_file))) == 4
        assert len(list(place.iterdir())) == 1
    assert list(place.iterdir()) == []


def test_leaving_early_ends_the_worker(hostile):
    files = [hostile(f"{n}.evil", f"import time; time.sleep({n * 600}); {GOOD}") for n in range(2)]
    start_time = time.monotonic()
    with ParserProcess() as parser:
        next(read(parser, *files))
        worker = parser._worker
    assert worker is not None and worker._process.poll() is not None
    assert time.monotonic() - start_time < 60


def test_a_worker_whose_owner_is_killed_ends_too(hostile, tmp_path):
    slow = hostile(
        "slow.evil", "import os, time; open(raw.path.with_suffix('.pid'), 'w').write(str(os.getpid())); time.sleep(600)"
    )
    code = (
        "import sys; from pathlib import Path; from vecsearch.documents.parser_process import ParserProcess, ParseRequest\n"
        "with ParserProcess(seconds=1) as parser:\n"
        "    next(parser.read([ParseRequest(Path(sys.argv[1]), 'slow')]))\n"
        "    import time; time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, slow])
    pid = slow.with_suffix(".pid")
    while not (pid.exists() and pid.read_text()):
        assert owner.poll() is None
        time.sleep(0.05)
    owner.kill()
    owner.wait()
    worker = int(pid.read_text())
    for _ in range(600):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{worker}/stat").exists() and Path(f"/proc/{worker}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("the worker lives on")


def test_a_file_whose_bytes_are_known_is_not_read(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("a keel")
    with ParserProcess() as parser:
        (reading,) = [(reading, list(reading.read_items())) for reading in parser.read([ParseRequest(file, "a.txt")])]
    digest = reading[0].digest
    assert digest is not None and len(digest) == 64
    with ParserProcess() as parser:
        ((second_reading, items),) = [
            (reading, list(reading.read_items())) for reading in parser.read([ParseRequest(file, "a.txt", known_digest=digest)])
        ]
    assert (second_reading.unchanged, second_reading.digest, items) == (True, None, [])


def test_what_is_wrong_with_a_file_keeps_its_kind(tmp_path):
    files = {
        "image.png": b"\x89PNG\r\n\x1a\n",
        "empty.txt": b"",
        "broken.txt": "wörter, wörter".encode() + b"\xff" + "ö".encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with ParserProcess() as parser:
        results = dict(read(parser, *(tmp_path / name for name in files), tmp_path / "missing.txt"))
    assert [type(result) for result in results.values()] == [
        BinaryFileError,
        EmptyFileError,
        UnreadableFileError,
        UnreadableFileError,
    ]
    assert str(results["missing.txt"]) == "no such file or directory"


def test_many_small_and_large_files_come_in_order(tmp_path):
    for n in range(60):
        (tmp_path / f"{n:02}.txt").write_text(f"{n} " + "word " * (400_000 if n % 20 == 7 else 3))
    with ParserProcess() as parser:
        results = list(read(parser, *sorted(tmp_path.iterdir())))
    assert [items[0].text.split()[0] for _, items in results] == [str(n) for n in range(60)]


def test_what_is_done_meanwhile_is_done_while_the_first_file_is_asked_for(tmp_path):
    (tmp_path / "a.txt").write_text("a keel")
    asked = Event()
    done: list[object] = []

    def yield_requests():
        asked.set()
        yield ParseRequest(tmp_path / "a.txt", "a")

    with ParserProcess() as parser:
        readings = parser.read(yield_requests(), meanwhile=lambda: done.append(asked.wait(60)))
        ((item,),) = (list(reading.read_items()) for reading in readings)
    assert done == [True]
    assert isinstance(item, ParsedDocument) and item.text == "a keel"


def test_an_error_among_the_requests_is_raised_where_the_readings_are_wanted(tmp_path):
    (tmp_path / "a.txt").write_text("a")

    def yield_requests():
        yield ParseRequest(tmp_path / "a.txt", "a")
        raise ZeroDivisionError("of the requests")

    with ParserProcess() as parser, pytest.raises(ZeroDivisionError, match="of the requests"):
        for reading in parser.read(yield_requests()):
            list(reading.read_items())


@pytest.mark.parametrize(
    "item",
    [
        ParsedDocument(
            "a", "täxt \ud800", "T", {"n": 1.5, "tags": ["x"]}, (Section(0, {"page": 1}, "c", True, 2), Section(3, {}))
        ),
        ParsedDocument("c", "text", chunks=ChunkedParts("d", (ChunkSpan(0, 2, {"lines": [1, 2]}, "above"), ChunkSpan(2, 4)))),
        ParsedDocument("m", "", "t", media=(make_media_location(MediaKind.IMAGE, "0" * 64, 1, {"page": 2}),)),
        MediaContent("m", {"media": "image", "digest": "0"}, b"\x89\0\xff", (1, 1, 3)),
        ParseWarning("line 3: no"),
        SkippedFile("a/b", "why"),
    ],
    ids=lambda item: type(item).__name__,
)
def test_items_come_over_the_wire_as_they_were(item, tmp_path):
    with (tmp_path / "wire").open("wb") as out:
        wire_format.send(out, wire_format.pack_item(item))
    with (tmp_path / "wire").open("rb") as stream:
        frames = wire_format.FrameReader(stream)
        assert wire_format.unpack_item(frames.receive()[0]) == item
        with pytest.raises(EOFError, match="the other side is gone"):
            frames.receive()


def test_frames_that_come_together_or_in_pieces_are_read_one_by_one():
    ours, its = os.pipe()
    with os.fdopen(ours, "rb") as stream, os.fdopen(its, "wb", buffering=0) as out:
        frames = wire_format.FrameReader(stream)
        values = ["a", {"b": ["ä" * 70_000]}, []]
        data = b"".join(map(wire_format.pack, values))
        writer = Thread(target=lambda: [out.write(data[at : at + 1_000]) for at in range(0, len(data), 1_000)])
        writer.start()
        assert [frames.receive(60)[0] for _ in values] == values
        writer.join()
        with pytest.raises(TimeoutError):
            frames.receive(0.01)


def test_a_parser_that_makes_no_chunks_loads_nothing_for_them():
    code = "import sys; import vecsearch.documents.parser_worker; print({'numpy', 'tokenizers'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
