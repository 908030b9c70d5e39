from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.core.errors import InputError
from vecsearch.core.files import FileFilter
from vecsearch.documents.ignore_rules import compile_rules
from vecsearch.documents.scan import scan

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on this machine")
ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def run_git(folder, *arguments, data=b""):
    return subprocess.run(
        ["git", *arguments], cwd=folder, input=data, capture_output=True, check=False, timeout=60, env=os.environ | ALONE
    ).stdout


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def list_files(scan_result, base):
    return [file.path.relative_to(base).as_posix() for file in scan_result.files]


def list_reasons(scan_result, base):
    return {Path(skip.source).relative_to(base).as_posix(): skip.reason for skip in scan_result.skipped}


def list_entries(folder):
    """List everything below a folder that is not hidden."""
    names = (path.relative_to(folder) for path in folder.rglob("*"))
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))


def list_ignored_by_git(folder):
    paths_input = "\0".join(list_entries(folder)).encode()
    answer = run_git(folder, "check-ignore", "--no-index", "--stdin", "-z", data=paths_input).decode()
    return sorted(filter(None, answer.split("\0")))


def list_ignored_by_us(folder):
    scan_result = scan([folder])
    ignored_paths, file_names = [path.relative_to(folder) for path in scan_result.ignored], set(list_files(scan_result, folder))
    result = [name for name in list_entries(folder) if any(Path(name).is_relative_to(path) for path in ignored_paths)]
    assert scan_result.failed == ()
    assert file_names == {name for name in list_entries(folder) if (folder / name).is_file() and name not in result}
    return result


# -- against git

TREE = [
    "a.log", "keep.log", "b.txt", "build/x.txt", "build/keep.txt", "src/build/y.txt", "src/a.log", "src/main.c", "src/gen/main.c",
    "docs/a.md", "docs/keep/a.md", "docs/keep/b.md", "docs/deep/er/c.md", "foo1/foo2/z.txt", "foo1/bar.txt", "foo/bar", "foo/baz",
    "x/y/z/w.txt", "x/y.txt", "#hash.txt", "!bang.txt", "trailing ", "sp ace.txt", "a[b].txt", "1.txt", "22.txt", "Ünï.txt",
    "back\\slash.txt", "star*.txt", "(?P<n>a).txt", "out/in/out/in/end.txt", "-dash.txt", "line.txt", "new\nline.txt", "q/-.txt",
]  # fmt: skip


@needs_git
@pytest.mark.parametrize(
    "lines",
    [
        "*.log\n!keep.log",
        "!keep.log\n*.log",
        "build",
        "build/",
        "/build",
        "/build/\n",
        "build/*\n!build/keep.txt",
        "build/\n!build/keep.txt",
        "build/**\n!build/keep.txt",
        "**/build",
        "**/build/**",
        "src/**/main.c",
        "src/*/main.c",
        "src/main.c",
        "main.c",
        "docs/*\n!docs/keep/",
        "docs/*\n!docs/keep/\ndocs/keep/*\n!docs/keep/a.md",
        "/*\n!/docs/",
        "/*\n!/docs\n/docs/*\n!/docs/keep",
        "*\n!*/\n!*.md",
        "foo*\n!foo1/",
        "foo/**\n!foo/bar",
        "foo\n!foo/",
        "foo/\n!foo",
        "**\n!b.txt",
        "**/",
        "*/",
        "*",
        "/",
        "//",
        "//build",
        "build//",
        "/**",
        "**/**",
        "**/*/**",
        "a/**/",
        "x/**/",
        "x/**/z",
        "x/**",
        "x/*\n!x/y",
        "x**z\n**t",
        "**/out/**/end.txt",
        "out/**/in/**/out/**/end.txt",
        "**/in/end.txt",
        "**/in/**/in/*",
        "\\#hash.txt",
        "#hash.txt",
        "!\\!bang.txt\n\\!bang.txt",
        "!#hash.txt",
        "*.txt\n!#hash.txt\n!!bang.txt",
        "trailing ",
        "trailing\\ ",
        "trailing\\  ",
        "trailing /",
        "t* ",
        "t*\\ ",
        "src/*\t",
        "sp ace.txt   ",
        " b.txt",
        "a[[]b].txt",
        "a\\[b\\].txt",
        "a[b].txt",
        "[0-9].txt",
        "[0-9]*.txt",
        "[!0-9]*.txt",
        "[^0-9]*.txt",
        "[[:digit:]].txt",
        "[![:alnum:]]*",
        "[[:digit:][:punct:]].txt",
        "[[:punct:]]*",
        "[![:punct:]]*",
        "*[[:space:]]*",
        "*[[:cntrl:]]*",
        "[[:upper:][:xdigit:]]*",
        "[[:graph:]].txt",
        "[[:print:]]*[[:blank:]]",
        "[b.txt",
        "b.txt\\",
        "b.tx\\t",
        "back\\\\slash.txt",
        "star\\*.txt",
        "star[*].txt",
        "(?P<n>*",
        "(?P<n>a).txt",
        "q/[-].txt",
        "q/[!a]*",
        "foo1[!x]bar.txt",
        "x/y[!x]z",
        "x/y[!x]*",
        "x/y[^]]txt",
        "x[/.]y",
        "x/y[/.]txt",
        "x/y[/.!a]*",
        "?.txt",
        "??.txt",
        "???????.txt",
        "Ünï.txt",
        "new*",
        "new?line.txt",
        "*e*n*e*",
        "*.t*t",
        "b.txt\r\n1.txt\r\n",
        "\ufeffb.txt",
        "\n\n  \n# nothing\n",
        "!",
        "!/",
        "foo1/foo2",
        "foo1/foo2/",
        "foo1/foo2/*",
        "./b.txt",
        "src/./main.c",
        "../b.txt",
        "x/y/\n!x/y/z/",
        "src\n!src/a.log",
        "BUILD",
        "build/x.txt\nbuild/keep.txt",
    ],
    ids=repr,
)
def test_an_ignore_file_means_what_it_means_to_git(tmp_path, lines):
    run_git(tmp_path, "init", "-q")
    write(tmp_path, dict.fromkeys(TREE, "x") | {".gitignore": lines})
    assert list_ignored_by_us(tmp_path) == list_ignored_by_git(tmp_path)


@needs_git
@pytest.mark.parametrize(
    "ignore_files",
    [
        {".gitignore": "*.log", "src/.gitignore": "!*.log"},
        {".gitignore": "!*.log", "src/.gitignore": "*.log"},
        {".gitignore": "/docs/keep", "docs/.gitignore": "!keep"},
        {".gitignore": "docs/", "docs/.gitignore": "!a.md"},
        {"src/.gitignore": "/main.c"},
        {"src/.gitignore": "main.c\n!gen/main.c"},
        {"src/.gitignore": "gen/\n", "src/gen/.gitignore": "!*"},
        {".gitignore": "*.md\n*.txt", "docs/.gitignore": "!*.md", "docs/keep/.gitignore": "b*"},
        {".git/info/exclude": "*.log\nbuild", ".gitignore": "!keep.log"},
        {".git/info/exclude": "src/build\n!b.txt", ".gitignore": "b.txt"},
        {"docs/.gitignore": "*"},
        {"docs/.gitignore": "../b.txt\n/../b.txt"},
    ],
)
def test_ignore_files_in_many_folders_mean_what_they_mean_to_git(tmp_path, ignore_files):
    run_git(tmp_path, "init", "-q")
    write(tmp_path, dict.fromkeys(TREE, "x") | ignore_files)
    assert list_ignored_by_us(tmp_path) == list_ignored_by_git(tmp_path)


@needs_git
def test_a_root_within_a_repository_is_read_with_the_ignore_files_above_it(tmp_path):
    run_git(tmp_path, "init", "-q")
    write(
        tmp_path,
        dict.fromkeys(TREE, "x")
        | {".gitignore": "/src/gen\n*.log\n", "src/.gitignore": "build/*", ".git/info/exclude": "src/main.c\ngen/"},
    )
    base = tmp_path / "src"
    names_in_src = [name.removeprefix("src/") for name in list_ignored_by_git(tmp_path) if name.startswith("src/")]
    assert list_ignored_by_us(base) == names_in_src == ["a.log", "build/y.txt", "gen", "gen/main.c", "main.c"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Make a few names at each of three levels: folders `a` and `b`, files `ab`, `ba` and `b.a`."""
    base = tmp_path_factory.mktemp("repository")
    run_git(base, "init", "-q")
    folders = ["", "a/", "b/", "a/a/", "a/b/", "b/a/", "b/b/", "a/b/a/"]
    write(base, {f"{folder}{name}": "x" for folder in folders for name in ("ab", "ba", "b.a")})
    return base


PIECES = st.sampled_from(
    ["a", "b", "ab", "*", "**", "?", "/", "/", "[ab]", "[!a]", "[a-b]", "[b-a]", ".", "\\", "\\a", "[", "]", "-", "^",
     "[[:alpha:]]", "[:", ":]", " "]
)  # fmt: skip
# Without `a**/b`, which git itself reads as `a` and then `**/b`.
LINES = st.builds(
    "{}{}{}".format, st.sampled_from(["", "", "!", "/"]), st.lists(PIECES, min_size=1, max_size=5).map("".join),
    st.sampled_from(["", "", "/"]),
).filter(lambda line: not re.search(r"[^/!]\*\*+/", line))  # fmt: skip
IGNORE_FILES = st.lists(LINES, max_size=4).map("\n".join)


@needs_git
@settings(max_examples=400, deadline=None, derandomize=True)
@given(top=IGNORE_FILES, inner=IGNORE_FILES)
def test_any_patterns_mean_what_they_mean_to_git(repository, top, inner):
    write(repository, {".gitignore": top, "a/.gitignore": inner})
    assert list_ignored_by_us(repository) == list_ignored_by_git(repository)


# -- what git does not know


@pytest.fixture
def docs(tmp_path):
    write(tmp_path / "docs", dict.fromkeys(("a.md", "a.log", "b/c.log", "b/d/e.log", "b/d/f.md"), "x"))
    return tmp_path / "docs"


def test_what_an_ignore_file_leaves_out_is_skipped_once_and_the_file_is_named(docs):
    write(docs, {".gitignore": "/a.log", "b/.gitignore": "d/"})
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md", "b/c.log"]
    assert list_reasons(scan_result, docs) == {"a.log": "ignored by .gitignore", "b/d": "ignored by b/.gitignore"}
    assert scan_result.ignored == (docs / "a.log", docs / "b/d")
    assert (scan_result.failed, scan_result.fully_scanned) == ((), (docs,))


def test_our_own_ignore_file_is_read_after_gitignore_and_a_deeper_file_overrides_both(docs):
    write(docs, {".gitignore": "*.log", ".vecsearchignore": "!*.log\n*.md", "b/d/.gitignore": "*.log\n!f.md"})
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.log", "b/c.log", "b/d/f.md"]
    assert list_reasons(scan_result, docs) == {"a.md": "ignored by .vecsearchignore", "b/d/e.log": "ignored by b/d/.gitignore"}


def test_an_ignore_file_above_the_root_counts_within_a_repository_only(docs):
    write(docs.parent, {".gitignore": "*.log", ".vecsearchignore": "/docs/b/d"})
    assert scan([docs]).skipped == ()
    (docs.parent / ".git").mkdir()
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md"]
    assert list_reasons(scan_result, docs) == {
        "a.log": f"ignored by {docs.parent}/.gitignore",
        "b/c.log": f"ignored by {docs.parent}/.gitignore",
        "b/d": f"ignored by {docs.parent}/.vecsearchignore",
    }


def test_the_nearest_repository_is_the_top(docs):
    write(docs.parent, {".gitignore": "*.log"})
    (docs.parent / ".git").mkdir()
    (docs / ".git").mkdir()
    assert scan([docs]).skipped == ()
    assert len(scan([docs / "b"]).files) == 3


def test_a_root_behind_a_link_is_read_with_the_ignore_files_above_its_real_place(docs, tmp_path):
    write(docs, {".gitignore": "/b/c.log"})
    (docs / ".git").mkdir()
    (tmp_path / "link").symlink_to(docs / "b")
    scan_result = scan([tmp_path / "link"])
    assert list_files(scan_result, docs / "b") == ["d/e.log", "d/f.md"]
    assert list_reasons(scan_result, docs) == {"b/c.log": f"ignored by {docs}/.gitignore"}


def test_where_an_ignored_link_leads_is_not_ignored(docs, tmp_path):
    """What was ignored loses its documents: not the folder that a link leads to, inside or outside."""
    write(docs, {".gitignore": "alias\nup\n"})
    (docs / "alias").symlink_to(docs / "b")
    (docs / "up").symlink_to(tmp_path)
    scan_result = scan([docs])
    assert set(scan_result.ignored) == {docs / "alias", docs / "up"}
    assert "b/d/f.md" in list_files(scan_result, docs)


def test_a_file_or_folder_named_outright_is_taken_although_ignored(docs):
    write(docs, {".gitignore": "*.log\nb/"})
    (docs / ".git").mkdir()
    scan_result = scan([docs / "a.log", docs])
    assert list_files(scan_result, docs) == ["a.log", "a.md"]
    assert scan_result.ignored == (docs / "b",)
    assert set(list_reasons(scan_result, docs)) == {"b"}
    assert list_files(scan([docs / "b"]), docs) == ["b/d/f.md"]
    nested_result = scan([docs, docs / "b"])
    assert list_files(nested_result, docs) == ["a.md", "b/d/f.md"]
    assert docs / "b" not in nested_result.ignored


def test_a_link_that_is_ignored_is_not_followed_and_says_so(docs, tmp_path):
    write(docs, {".gitignore": "out/\nbroken"})
    (docs / "out").symlink_to(tmp_path)
    (docs / "broken").symlink_to(tmp_path / "gone")
    scan_result = scan([docs])
    assert list_reasons(scan_result, docs) == {"out": "ignored by .gitignore", "broken": "ignored by .gitignore"}
    assert (scan_result.failed, scan_result.fully_scanned) == ((), (docs,))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes("*.md\n".encode("utf-16")), "characters that no pattern has (nul)"),
        (lambda path: path.write_text("x" * 100_001), "more than 100,000 bytes"),
        (os.mkfifo, "not a regular file"),
        (Path.mkdir, "not a regular file"),
        (lambda path: path.symlink_to(path), "broken symbolic link"),
    ],
    ids=["broken", "large", "pipe", "folder", "circle"],
)
def test_an_ignore_file_that_cannot_be_read_is_a_failure_and_the_walk_goes_on(docs, make, reason):
    make(docs / "b/.gitignore")
    write(docs, {".gitignore": "/a.log"})
    scan_result = scan([docs])
    assert list_files(scan_result, docs) == ["a.md", "b/c.log", "b/d/e.log", "b/d/f.md"]
    assert [(failure.source, failure.error) for failure in scan_result.failed] == [
        (f"{docs}/b/.gitignore", f"{reason}; nothing is ignored by it")
    ]
    assert scan_result.fully_scanned == (docs,)


def test_a_link_to_an_ignore_file_that_is_gone_is_none(docs):
    (docs / ".gitignore").symlink_to(docs / "gone")
    scan_result = scan([docs])
    assert (len(scan_result.files), scan_result.failed) == (5, ())


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 40 + "b", "a" * 255),
        ("*?" * 40 + "b", "a" * 255),
        ("**/a/" * 12 + "b", "a/" * 2000 + "c"),
        ("a/" + "**/*a*a*/" * 12 + "b", "a/" + "aaaaaaaa/" * 400 + "c"),
        ("x/**/**/**/**/y", "x/" * 2000),
        ("[a]*" * 40 + "[b]", "a" * 255),
        ("[]" * 1000 + "]x", "a" * 255),
    ],
    ids=lambda text: text[:20],
)
def test_no_pattern_takes_for_ever(pattern, path):
    assert compile_rules([pattern], option="exclude").match_path(path, folder=False) is None


# -- patterns that the user gives


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.md"], [], ["a.md", "b/d/f.md"]),
        (["/*.md"], [], ["a.md"]),
        (["b/"], [], ["b/c.log", "b/d/e.log", "b/d/f.md"]),
        (["b/d"], [], ["b/d/e.log", "b/d/f.md"]),
        (["b/**/*.log"], [], ["b/c.log", "b/d/e.log"]),
        (["*.md", "*.log"], [], ["a.log", "a.md", "b/c.log", "b/d/e.log", "b/d/f.md"]),
        (["*.log", "!c.log"], [], ["a.log", "b/d/e.log"]),
        (["b", "!*.md"], [], ["b/c.log", "b/d/e.log"]),
        ([], ["*.log"], ["a.md", "b/d/f.md"]),
        ([], ["b"], ["a.log", "a.md"]),
        ([], ["b/*", "!b/c.log"], ["a.log", "a.md", "b/c.log"]),
        (["*.log"], ["d/"], ["a.log", "b/c.log"]),
        (["a.log"], ["*.log"], []),
        (["nothing"], [], []),
    ],
)
def test_a_selection_takes_what_is_included_and_not_excluded(docs, include, exclude, expected):
    scan_result = scan([docs], selection=FileFilter(tuple(include), tuple(exclude)))
    assert list_files(scan_result, docs) == expected
    assert (scan_result.skipped, scan_result.ignored, scan_result.fully_scanned) == ((), (), (docs,))


def test_patterns_are_relative_to_each_root_and_do_not_hold_for_files_named_outright(docs):
    selection = FileFilter(include=("/f.md",), exclude=("*.log",))
    assert list_files(scan([docs, docs / "b/d", docs / "a.log"], selection=selection), docs) == ["b/d/f.md", "a.log"]


def test_what_is_included_may_be_ignored_all_the_same(docs):
    write(docs, {".gitignore": "b/"})
    scan_result = scan([docs], selection=FileFilter(include=("*.md",)))
    assert (list_files(scan_result, docs), scan_result.ignored) == (["a.md"], (docs / "b",))


@pytest.mark.parametrize("pattern", ["", "  ", "#x", "!", "/", "[a", "x\\", "[]", "[[:none:]]"])
def test_a_pattern_that_says_nothing_is_refused(docs, pattern):
    with pytest.raises(InputError, match=r"^include: .* is no pattern such as '\*\.md'"):
        scan([docs], selection=FileFilter(include=("*.md", pattern)))
    with pytest.raises(InputError, match=r"^exclude: "):
        scan([docs], selection=FileFilter(exclude=(pattern,)))
