from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from tests.fakes import StopAt
from vecsearch.core.files import FileFilter
from vecsearch.core.settings import DATABASE_FILE, MAX_FILE_BYTES
from vecsearch.core.stop_signal import StopSignal
from vecsearch.documents.scan import scan


@pytest.fixture
def docs(tmp_path):
    """Make docs/{a.md, b/{c.txt, d/e.txt}}."""
    (tmp_path / "docs/b/d").mkdir(parents=True)
    for name in ("a.md", "b/c.txt", "b/d/e.txt"):
        (tmp_path / "docs" / name).write_text(name)
    return tmp_path / "docs"


def list_files(scan_result, base):
    return [file.path.relative_to(base).as_posix() for file in scan_result.files]


def list_failures(scan_result):
    return {failure.source: failure.error for failure in scan_result.failed}


# -- folders


def test_a_folder_gives_its_files_in_a_fixed_order_and_is_complete(docs):
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md", "b/c.txt", "b/d/e.txt"]
    assert not any(file.explicit for file in scan_result.files)
    assert scan_result.fully_scanned == (docs,)
    assert (scan_result.failed, scan_result.skipped, scan_result.empty_roots) == ((), (), ())


def test_paths_are_real_ones(docs, monkeypatch):
    link = docs.parent / "link"
    link.symlink_to("docs/b")
    monkeypatch.chdir(docs.parent)
    for root in ("docs/../link/..", "link/../a.md", docs / "a.md", link / "..", "link/../../docs/*.md"):
        assert scan([root]).files[0].path == docs / "a.md"
    assert scan([link]).linked_roots == (link,)
    assert scan([docs]).linked_roots == ()


def test_a_home_folder_is_expanded(docs, monkeypatch):
    monkeypatch.setenv("HOME", str(docs.parent))
    assert scan(["~/docs/a.md"]).files[0].path == docs / "a.md"
    assert len(scan(["~/docs/b/*.txt"]).files) == 1


def test_hidden_names_and_caches_are_passed_over_in_silence(docs):
    for name in (".git", "__pycache__", "node_modules", "b/.cache"):
        (docs / name).mkdir()
        (docs / name / "x.txt").write_text("x")
    (docs / ".hidden.txt").write_text("x")
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md", "b/c.txt", "b/d/e.txt"]
    assert (scan_result.failed, scan_result.skipped, scan_result.fully_scanned) == ((), (), (docs,))


@pytest.mark.parametrize("name", [".git", "node_modules"])
def test_a_hidden_or_cache_folder_named_outright_is_read(docs, name):
    (docs / name).mkdir()
    (docs / name / "x.txt").write_text("x")
    (docs / ".hidden.txt").write_text("x")
    assert list_files(scan([docs / name, docs / ".hidden.txt"]), docs) == [f"{name}/x.txt", ".hidden.txt"]


def test_a_database_met_in_a_walk_is_left_out_and_named_outright_is_a_failure(docs):
    (docs / "notes.vec").mkdir()
    (docs / "notes.vec" / DATABASE_FILE).write_bytes(b"")
    (docs / "notes.vec" / "readme.txt").write_text("x")
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md", "b/c.txt", "b/d/e.txt"]
    assert scan_result.fully_scanned == (docs,)
    named_result = scan([docs / "notes.vec"])
    assert list_failures(named_result) == {str(docs / "notes.vec"): "is a vecsearch database, not documents"}
    assert named_result.fully_scanned == ()


def test_an_empty_root_is_said_to_be_empty_and_a_root_of_hidden_files_is_not(docs):
    (docs / "empty").mkdir()
    (docs / "hidden").mkdir()
    (docs / "hidden/.keep").write_text("")
    assert scan([docs / "empty", docs / "hidden"]).empty_roots == (docs / "empty",)
    assert scan([docs]).empty_roots == ()


def test_a_tree_deeper_than_the_recursion_limit_is_walked(tmp_path):
    depth = sys.getrecursionlimit() + 200
    descriptor = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(os.open("leaf.txt", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)
    walk_result, glob_result = scan([tmp_path]), scan([tmp_path / "**" / "*.txt"])
    walk_result.files[0].path.unlink()
    for level in range(depth, 0, -1):  # pytest's own clean-up would recurse
        (tmp_path / "/".join("d" * level)).rmdir()
    assert [file.path.name for file in walk_result.files] == ["leaf.txt"]
    assert [file.path.name for file in glob_result.files] == ["leaf.txt"]


# -- what a root may be


def test_a_file_given_by_name_is_named(docs):
    scan_result = scan([docs / "a.md"])
    assert [(file.path, file.explicit) for file in scan_result.files] == [(docs / "a.md", True)]
    assert scan_result.fully_scanned == ()


@pytest.mark.parametrize("roots", [["docs", "docs/a.md"], ["docs/a.md", "docs"], ["docs/*.md", "docs", "docs/../docs"]])
def test_a_file_reached_twice_appears_once_and_being_named_wins(docs, monkeypatch, roots):
    monkeypatch.chdir(docs.parent)
    scan_result = scan(roots)
    assert sorted(list_files(scan_result, docs)) == ["a.md", "b/c.txt", "b/d/e.txt"]
    assert [file.path.name for file in scan_result.files if file.explicit] == ["a.md"]
    assert scan_result.fully_scanned == (docs,)


@pytest.mark.parametrize("roots", [["docs", "docs/b"], ["docs/b", "docs"], ["docs/b/d", "docs/b", "docs"]])
def test_roots_within_each_other_give_each_file_once(docs, monkeypatch, roots):
    monkeypatch.chdir(docs.parent)
    scan_result = scan(roots)
    assert sorted(list_files(scan_result, docs)) == ["a.md", "b/c.txt", "b/d/e.txt"]
    assert set(scan_result.fully_scanned) == {docs.parent / root for root in roots}


@pytest.mark.parametrize("path", ["gone.txt", "docs/a.md/below", "nul\0byte", "nul\0*"])
def test_a_path_that_is_not_there_is_a_failure(docs, monkeypatch, path):
    monkeypatch.chdir(docs.parent)
    assert list_failures(scan([path])) == {str(docs.parent / path): "no such file or folder"}


def test_an_empty_path_is_not_the_current_folder(docs, monkeypatch):
    monkeypatch.chdir(docs)
    scan_result = scan([""])
    assert (scan_result.files, list_failures(scan_result)) == ((), {"": "an empty path"})


# -- patterns


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.md", ["a.md"]),
        ("?.md", ["a.md"]),
        ("[a-c].md", ["a.md"]),
        ("b/*", ["b/c.txt", "b/d/e.txt"]),
        ("*/c.*", ["b/c.txt"]),
        ("**/*.txt", ["b/c.txt", "b/d/e.txt"]),
        ("**/d/*.txt", ["b/d/e.txt"]),
        ("**/*.md", ["a.md"]),
        ("*/", ["b/c.txt", "b/d/e.txt"]),
        ("./b/../*.md", ["a.md"]),
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_pattern_gives_what_it_matches(docs, monkeypatch, pattern, expected, absolute):
    monkeypatch.chdir(docs)
    assert list_files(scan([f"{docs}/{pattern}" if absolute else pattern]), docs) == expected


def test_files_that_a_pattern_matches_are_named_and_folders_are_walked(docs):
    scan_result = scan([docs / "*"])
    assert {file.path.name: file.explicit for file in scan_result.files} == {"a.md": True, "c.txt": False, "e.txt": False}
    assert scan_result.fully_scanned == (docs / "b",)


def test_a_pattern_that_matches_nothing_is_a_failure(docs):
    assert list_failures(scan([docs / "*.pdf"])) == {str(docs / "*.pdf"): "matches no file"}


def test_a_path_with_a_bracket_in_its_name_is_taken_literally_when_it_is_there(docs):
    (docs / "b[1].txt").write_text("x")
    (docs / "b1.txt").write_text("x")
    assert list_files(scan([docs / "b[1].txt"]), docs) == ["b[1].txt"]


def test_a_current_folder_with_brackets_in_its_name_is_no_pattern(docs, monkeypatch):
    (docs / "[x]").mkdir()
    (docs / "[x]/y.txt").write_text("y")
    monkeypatch.chdir(docs / "[x]")
    assert list_files(scan(["*.txt"]), docs) == ["[x]/y.txt"]


def test_patterns_pass_over_hidden_names_caches_and_databases(docs):
    for name in (".git", "node_modules", "db"):
        (docs / name).mkdir()
        (docs / name / "x.txt").write_text("x")
    (docs / "db" / DATABASE_FILE).write_bytes(b"")
    assert list_files(scan([docs / "**/*.txt", docs / "*"]), docs) == ["b/c.txt", "b/d/e.txt", "a.md"]
    assert list_files(scan([docs / ".g*/*"]), docs) == [".git/x.txt"]


# -- large files


def test_each_file_has_its_size(docs):
    (docs / "link.txt").symlink_to("a.md")
    scan_result = scan([docs, docs / "b/c.txt"])
    assert {file.path.name: file.size for file in scan_result.files} == {"a.md": 4, "c.txt": 7, "e.txt": 9}


@pytest.mark.parametrize(
    ("size", "limit", "reason"),
    [
        (312_000_000, 256_000_000, "312 MB, larger than the limit of 256 MB"),
        (256_000_001, 256_000_000, "256,000,001 bytes, larger than the limit of 256,000,000 bytes"),
        (2_340_000_000, 1_500_000, "2.3 GB, larger than the limit of 1.5 MB"),
        (1_200, 1, "1.2 kB, larger than the limit of 1 byte"),
    ],
)
def test_a_file_over_the_limit_is_skipped_in_a_walk_and_a_failure_when_named(docs, size, limit, reason):
    with (docs / "b/large.txt").open("wb") as file:
        file.truncate(size)
    selection, message = FileFilter(exclude=("a.md", "?.txt"), max_bytes=limit), f"{reason}; --max-size takes more"
    scan_result = scan([docs], selection=selection)
    assert (scan_result.files, scan_result.fully_scanned, scan_result.ignored) == ((), (docs,), ())
    assert [(skip.source, skip.reason) for skip in scan_result.skipped] == [(str(docs / "b/large.txt"), message)]
    for roots in ([docs / "b/large.txt"], [docs, docs / "b/*.txt"]):
        named_result = scan(roots, selection=selection)
        assert list_failures(named_result)[str(docs / "b/large.txt")] == message
        assert named_result.skipped == ()


def test_a_file_of_just_the_limit_is_taken(docs):
    assert list_files(scan([docs], selection=FileFilter(max_bytes=7)), docs) == ["a.md", "b/c.txt"]
    assert list_files(scan([docs / "a.md"], selection=FileFilter(max_bytes=4)), docs) == ["a.md"]


def test_the_limit_without_a_word_is_the_one_on_the_settings_page(docs):
    for extra in (0, 1):
        with (docs / f"{extra}.txt").open("wb") as file:
            file.truncate(MAX_FILE_BYTES + extra)
    assert list_files(scan([docs]), docs) == ["0.txt", "a.md", "b/c.txt", "b/d/e.txt"]


# -- links and other things that are no plain files


def test_links_to_files_and_folders_below_the_root_are_followed_to_their_real_paths(docs):
    (docs / ".kept").mkdir()
    (docs / ".kept/x.txt").write_text("x")
    (docs / "folder").symlink_to(".kept")
    (docs / "file.txt").symlink_to(docs / "a.md")
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md", "b/c.txt", "b/d/e.txt", ".kept/x.txt"]
    assert (scan_result.failed, scan_result.skipped, scan_result.fully_scanned) == ((), (), (docs,))


def test_a_link_that_leads_out_of_the_root_is_not_followed_and_says_where_it_leads(docs, tmp_path):
    other = tmp_path / "docs-of-others"
    other.mkdir()
    (other / "x.txt").write_text("x")
    (docs / "folder").symlink_to("../docs-of-others")
    (docs / "file.txt").symlink_to(other / "x.txt")
    (docs / "b/chain.txt").symlink_to("../file.txt")
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md", "b/c.txt", "b/d/e.txt"]
    targets = {"folder": other, "file.txt": other / "x.txt", "b/chain.txt": other / "x.txt"}
    assert {skip.source: skip.reason for skip in scan_result.skipped} == {
        str(docs / name): f"symbolic link that leads out of the folder, to {target}; index {target} itself"
        for name, target in targets.items()
    }
    assert (scan_result.failed, scan_result.fully_scanned) == ((), (docs,))


def test_a_link_that_is_named_is_taken_and_a_root_that_is_one_ends_where_its_real_place_does(docs, tmp_path):
    (docs / "b/up.md").symlink_to(docs / "a.md")
    (docs / "b/down.txt").symlink_to(docs / "b/d/e.txt")
    (tmp_path / "link").symlink_to(docs / "b")
    assert list_files(scan([docs / "b/up.md"]), docs) == ["a.md"]
    scan_result = scan([tmp_path / "link"])
    assert list_files(scan_result, docs) == ["b/c.txt", "b/d/e.txt"]
    assert [skip.source for skip in scan_result.skipped] == [str(docs / "b/up.md")]
    assert list_files(scan([tmp_path / "link", docs]), docs) == ["b/c.txt", "b/d/e.txt", "a.md"]


@pytest.mark.parametrize("name", ["a-first", "z-last"])
def test_a_folder_below_the_root_is_read_under_its_own_name_and_not_again_through_a_link(docs, name):
    (docs / name).symlink_to("b")
    (docs / "b" / name).symlink_to("d")
    assert list_files(scan([docs]), docs) == ["a.md", "b/c.txt", "b/d/e.txt"]


@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_link_in_a_circle_ends(docs, target):
    (docs / "b/d/up").symlink_to(target)
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md", "b/c.txt", "b/d/e.txt"]
    assert (scan_result.failed, scan_result.fully_scanned) == ((), (docs,))
    assert len(scan([docs / "**" / "*.txt"]).files) == 2


@pytest.mark.parametrize(
    "selection", [FileFilter(include=("*.md",)), FileFilter(exclude=("*.md",)), FileFilter(exclude=("gone",))]
)
def test_a_broken_link_may_have_led_to_a_folder_so_only_its_own_name_leaves_it_out(docs, selection):
    (docs / "gone").symlink_to(docs / "drive")
    scan_result = scan([docs], selection=selection)
    assert list_failures(scan_result) == ({} if selection.exclude == ("gone",) else {str(docs / "gone"): "broken symbolic link"})
    assert scan_result.fully_scanned == ((docs,) if selection.exclude == ("gone",) else ())


def test_a_broken_link_is_a_failure_and_its_root_is_not_complete_since_a_drive_may_be_gone(docs):
    (docs / "broken.txt").symlink_to(docs / "gone")
    (docs / "self.txt").symlink_to(docs / "self.txt")
    scan_result = scan([docs])
    assert list_failures(scan_result) == {str(docs / name): "broken symbolic link" for name in ("broken.txt", "self.txt")}
    assert scan_result.fully_scanned == ()
    assert list_failures(scan([docs / "broken.txt"])) == {str(docs / "broken.txt"): "broken symbolic link"}


def test_folders_that_link_to_each_other_are_walked_once_through_a_link(docs):
    names = [f"n{number}" for number in range(9)]
    for name in names:
        (docs / name).mkdir()
        (docs / name / "one.txt").write_text(name)
        for other in names:
            (docs / name / f"to-{other}").symlink_to(docs / other)
    assert len(scan([docs]).files) == len(names) + 3


def test_pipes_and_sockets_are_skipped_in_a_walk_and_failures_when_named(docs, monkeypatch):
    os.mkfifo(docs / "pipe.txt")
    monkeypatch.chdir(docs)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
        scan_result = scan([docs])
    assert [(skip.source, skip.reason) for skip in scan_result.skipped] == [
        (str(docs / name), "not a regular file") for name in ("pipe.txt", "socket.txt")
    ]
    assert (scan_result.failed, scan_result.fully_scanned) == ((), (docs,))
    assert list_failures(scan([docs / "pipe.txt"])) == {str(docs / "pipe.txt"): "not a regular file"}


def test_a_name_that_is_no_unicode_is_found_by_its_bytes(docs):
    with open(os.fsencode(docs) + b"/bad\xff.txt", "wb"):  # noqa: PTH123
        pass
    scan_result = scan([docs])
    assert scan_result.failed == ()
    assert scan_result.fully_scanned == (docs,)
    assert [os.fsencode(file.path.name) for file in scan_result.files if file.path.suffix == ".txt"].count(b"bad\xff.txt") == 1


def test_an_entry_that_vanishes_during_the_walk_costs_nothing_else(docs, monkeypatch):
    real = os.scandir

    def scandir(path):
        entries = real(path)
        if Path(path) == docs:
            monkeypatch.setattr(os, "scandir", real)
            (docs / "a.md").unlink()
            (docs / "b").rename(docs.parent / "elsewhere")
        return entries

    (docs / "z.txt").write_text("z")
    monkeypatch.setattr(os, "scandir", scandir)
    scan_result = scan([docs])
    assert "z.txt" in list_files(scan_result, docs)
    assert not set(list_failures(scan_result)) & {str(docs / "b"), str(docs / "a.md")}


# -- folders that may not be read

AS_ORDINARY_USER = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
class Header(ctypes.Structure): _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
class Sets(ctypes.Structure): _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]
libc.capset(ctypes.byref(Header(0x20080522, 0)), (Sets * 2)())  # without capabilities, root may not read what it may not
from vecsearch.documents.scan import scan
scan_result = scan(sys.argv[1:])
print(json.dumps({
    "files": [str(file.path) for file in scan_result.files],
    "failed": {failure.source: failure.error for failure in scan_result.failed},
    "complete": [str(path) for path in scan_result.fully_scanned],
}))
"""


def test_an_unreadable_folder_is_a_failure_and_no_root_around_it_is_complete(docs):
    (docs / "z").mkdir()
    (docs / "b").chmod(0)
    try:
        roots = [docs, docs / "z", docs / "**" / "*.txt"]
        result = subprocess.run(
            [sys.executable, "-c", AS_ORDINARY_USER, *map(str, roots)],
            capture_output=True, text=True, check=True, timeout=60, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    finally:
        (docs / "b").chmod(0o755)
    output = json.loads(result.stdout)
    if str(docs / "b/c.txt") in output["files"]:
        pytest.skip("the kernel does not take this process's rights away")
    assert output["files"] == [str(docs / "a.md")]
    assert output["failed"].pop(str(docs / "b")) == "permission denied"
    assert set(output["failed"].values()) <= {"matches no file"}
    assert output["complete"] == [str(docs / "z")]


def test_a_scan_that_is_stopped_anywhere_takes_nothing_for_read_in_full(tmp_path):
    for name in ("a/x.txt", "b/y.txt", "c/z.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("text")
    (tmp_path / ".vecsearchignore").write_text("b/\n")
    (tmp_path / "empty").mkdir()
    roots = [tmp_path, tmp_path / "b", tmp_path / "*/*.txt", tmp_path / "empty"]
    whole = scan(roots)
    for number in count(1):
        stop = StopSignal(StopAt(number))
        stopped = scan(roots, stop=stop)
        if not stop.is_set:
            assert stopped == whole
            break
        assert (stopped.fully_scanned, stopped.empty_roots, stopped.ignored, stopped.failed) == ((), (), (), ())
        assert {file.path for file in stopped.files} <= {file.path for file in whole.files}
    assert number > 10
