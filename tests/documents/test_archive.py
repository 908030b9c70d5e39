from __future__ import annotations

import base64
import gzip
import io
import struct
import zipfile
from pathlib import Path

import pytest
from pyzipper import WZ_AES, AESZipFile

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.decoding import BinaryFileError, EmptyFileError, EncryptedFileError
from vecsearch.documents.loaders import archive, load, raw_file
from vecsearch.documents.loaders.raw_file import Container, RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files" / "bad"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SECRET = base64.b64decode(  # "s.txt" with the words "secret words", under the old encryption, password "tika"
    "UEsDBAoACQAAAAuzeF10nwgVGQAAAA0AAAAFABwAcy50eHRVVAkAA5UOBmuVDgZrdXgLAAEEAAAAAAQAAAAAyEXs8Iy0naJuTwbd8xYy+vrtQ0Nc7pOp2lBLBwh0nwgV"
    "GQAAAA0AAABQSwECHgMKAAkAAAALs3hddJ8IFRkAAAANAAAABQAYAAAAAAABAAAApIEAAAAAcy50eHRVVAUAA5UOBmt1eAsAAQQAAAAABAAAAABQSwUGAAAAAAEAAQBL"
    "AAAAaAAAAAAA"
)


def make_zip(members, *, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, data in members.items() if isinstance(members, dict) else members:
            target.writestr(name, data)
    return file.getvalue()


def encrypt_zip(members, password):
    file = io.BytesIO()
    with AESZipFile(file, "w", encryption=WZ_AES) as target:
        target.setpassword(password.encode())
        for name, data in members.items():
            target.writestr(name, data)
    return file.getvalue()


def load_items(data, *, name="a.zip", passwords=(), inside=False):
    return list(
        load(RawFile(name, Path(name).suffix, content=data, passwords=passwords, within=(Container.ARCHIVE,) if inside else ()))
    )


def collect_texts(results):
    return {item.id: item.text for item in results if isinstance(item, ParsedDocument)}


# -- members


def test_members_are_documents_in_the_order_of_their_names():
    results = load_items(make_zip({"b.txt": "bee", "a/c.md": "# Sea\n\nwords", "a/b.csv": "x,y\n1,2\n"}))
    assert [item.id for item in results] == ["a.zip!a/b.csv", "a.zip!a/c.md", "a.zip!b.txt"]
    assert (results[1].title, results[2].text) == ("Sea", "bee")
    assert results[1].sections[-1].location == {"lines": 3, "heading": ["Sea"], "member": "a/c.md"}


def test_every_document_has_a_place_even_without_sections():
    (result,) = load_items(make_zip({"a.csv": "x,y\n1,2\n"}))
    assert [section.location.get("member") for section in result.sections] == ["a.csv"] * len(result.sections) != []


def test_the_ids_of_records_and_messages_begin_with_the_archive_s_name():
    mbox = "From a Mon Jul 20 01:01:07 2015\nSubject: One\n\nfirst\n"
    results = load_items(make_zip({"r.jsonl": '{"id": "1", "text": "x"}\nno\n', "m.mbox": mbox}))
    assert sorted(collect_texts(results)) == ["a.zip!m.mbox/1", "a.zip!r.jsonl/1"]
    assert [item.message for item in results if isinstance(item, ParseWarning)] == [
        "r.jsonl: line 2: not valid JSON: Expecting value at character 1"
    ]


def test_a_text_attached_to_a_mail_in_an_archive_says_where_it_is():
    attachment = "Content-Type: text/plain\nContent-Disposition: attachment; filename=b.txt\n\nwords\n"
    mail, text = load_items(
        make_zip({"a.eml": f"Subject: x\nContent-Type: multipart/mixed; boundary=B\n\n--B\n{attachment}--B--\n"})
    )
    assert [document.id for document in (mail, text)] == ["a.zip!a.eml", "a.zip!a.eml/b.txt"]
    assert [document.sections[0].location["member"] for document in (mail, text)] == ["a.eml", "a.eml/b.txt"]


def test_what_has_no_text_is_skipped_with_the_reason():
    results = load_items(make_zip({"a.elf": b"\x7fELF" + b"\0" * 100, "b.txt": "", "c": b"\0\1\2\3" * 9, "d.txt": "words"}))
    assert [(item.source, item.reason) for item in results if isinstance(item, SkippedFile)] == [
        ("a.zip!a.elf", "binary (a program), not text"),
        ("a.zip!b.txt", "the file is empty"),
        ("a.zip!c", "binary (NUL characters), not text"),
    ]
    assert collect_texts(results) == {"a.zip!d.txt": "words"}


def test_hidden_members_folders_and_links_are_left_out():
    link = zipfile.ZipInfo("link.txt")
    link.external_attr = 0o120777 << 16
    members = [
        ("__MACOSX/._a.txt", "x"),
        (".git/x.txt", "x"),
        ("a/.x.txt", "x"),
        ("node_modules/x.txt", "x"),
        ("b/", ""),
        (link, "/etc/passwd"),
    ]
    assert collect_texts(load_items(make_zip([*members, ("a.txt", "words")]))) == {"a.zip!a.txt": "words"}


def test_documents_without_a_suffix_are_known_by_what_they_are():
    office = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f"<w:document xmlns:w='{WORD}'><w:body><w:p><w:r><w:t>words</w:t></w:r></w:p></w:body></w:document>",
    }
    assert collect_texts(load_items(make_zip({"a": make_zip(office)}))) == {"a.zip!a": "words"}


def test_an_archive_inside_is_never_opened():
    inner = make_zip({"x.txt": "words"})
    results = load_items(make_zip({"in.zip": inner, "in": inner, "in.txt.gz": gzip.compress(b"words"), "a.txt": "words"}))
    assert collect_texts(results) == {"a.zip!a.txt": "words"}
    reasons = [item.reason for item in results if isinstance(item, SkippedFile)]
    assert sorted(reasons) == ["an archive inside an archive"] * 2 + ["binary (gzip-compressed), not text"]
    with pytest.raises(BinaryFileError, match="an archive inside an archive"):
        load_items(inner, name="a.zip", inside=True)


def test_a_damaged_member_costs_no_other():
    data = make_zip({"a.txt": "first words", "b.txt": "other words", "c.ipynb": "{"}, compression=zipfile.ZIP_STORED)
    results = load_items(data.replace(b"first words", b"first wards", 1))
    assert collect_texts(results) == {"a.zip!b.txt": "other words"}
    assert [item.message for item in results if isinstance(item, ParseWarning)] == [
        "a.txt: damaged",
        "c.ipynb: not valid JSON: Expecting property name enclosed in double quotes at line 1, column 2",
    ]


def test_a_library_s_own_error_costs_one_member(monkeypatch):
    def fail(_):
        raise KeyError("x\ny")

    monkeypatch.setattr("vecsearch.documents.loaders.markdown.load_markdown", fail)
    results = load_items(make_zip({"a.md": "words", "b.txt": "words"}))
    assert results[0] == ParseWarning("a.md: damaged (KeyError)")
    assert collect_texts(results) == {"a.zip!b.txt": "words"}


# -- names


def rename_member(data, name, stored):
    """Make a zip whose member has another name of the same length in bytes, not marked as UTF-8."""
    assert len(name) == len(stored)
    return data.replace(name, stored)


@pytest.mark.parametrize(("name", "encoding"), [("naïve.txt", "utf-8"), ("naïve.txt", "cp437"), ("Привет.txt", "utf-8")])
def test_names_are_read_in_their_encoding(name, encoding):
    stored = name.encode(encoding)
    data = rename_member(make_zip({"x" * len(stored): "words"}), b"x" * len(stored), stored)
    assert list(collect_texts(load_items(data))) == [f"a.zip!{name}"]


def test_names_in_an_old_encoding_are_told_from_all_of_them():
    names = [f"审计压缩包文件检索测试{n}.txt" for n in range(5)]
    data = make_zip({f"{n}" * len(name.encode("gb18030")): "words" for n, name in enumerate(names)})
    for n, name in enumerate(names):
        data = rename_member(data, f"{n}".encode() * len(name.encode("gb18030")), name.encode("gb18030"))
    assert list(collect_texts(load_items(data))) == [f"a.zip!{name}" for name in names]


def test_a_name_that_nobody_can_tell_does_no_harm():
    (result,) = load_items(rename_member(make_zip({"xxxxxx.txt": "words"}), b"xxxxxx", "文章1".encode("cp932") + b"_"))
    assert result.text == "words"


def test_names_that_lead_out_of_the_archive_stay_within():
    results = load_items(make_zip({"../../up.txt": "a", "/root.txt": "b", "c:\\x\\..\\y.txt": "c", "two\nlines.txt": "d"}))
    assert sorted(collect_texts(results)) == ["a.zip!c:/x/y.txt", "a.zip!root.txt", "a.zip!two\ufffdlines.txt", "a.zip!up.txt"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_members_with_one_name_the_last_counts():
    assert collect_texts(load_items(make_zip([("a.txt", "old"), ("a.txt", "new")]))) == {"a.zip!a.txt": "new"}


# -- passwords


@pytest.mark.parametrize("data", [SECRET, encrypt_zip({"s.txt": "secret words\n"}, "tika")], ids=["old", "AES"])
def test_an_encrypted_archive_asks_for_its_password(data):
    assert collect_texts(load_items(data, passwords=("wrong", "tika"))) == {"a.zip!s.txt": "secret words\n"}
    with pytest.raises(EncryptedFileError, match="the archive is encrypted; give its password"):
        load_items(data)
    with pytest.raises(EncryptedFileError, match="none of the passwords given opens it"):
        load_items(data, passwords=[f"wrong {n}" for n in range(300)])


def test_an_encrypted_member_costs_no_other():
    file = io.BytesIO(SECRET)
    with zipfile.ZipFile(file, "a") as target:
        target.writestr("a.txt", "words")
    results = load_items(file.getvalue())
    assert collect_texts(results) == {"a.zip!a.txt": "words"}
    assert results[1] == ParseWarning("s.txt: it is encrypted; give its password in a file: --password-file FILE")


# -- hostile and damaged archives


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_unfolds_too_far_is_refused(compression, monkeypatch):
    monkeypatch.setattr(raw_file, "TOTAL_MIN", 1_000_000)
    with pytest.raises(UnreadableFileError, match="expands to more than 1 MB: too much for its size"):
        load_items(make_zip({f"{n}.txt": "word " * 60_000 for n in range(5)}, compression=compression))


def test_a_member_that_is_too_large_costs_no_other(monkeypatch):
    monkeypatch.setattr(archive, "MEMBER_MAX", 1_000_000)
    results = load_items(make_zip({"a.txt": "word " * 250_000, "b.txt": "words"}))
    assert results[0] == ParseWarning("a.txt: expands to more than 1 MB")
    assert collect_texts(results) == {"a.zip!b.txt": "words"}


def test_what_is_no_text_is_not_inflated_to_its_end(monkeypatch):
    monkeypatch.setattr(raw_file, "TOTAL_MAX", 1_000_000)
    results = load_items(make_zip({**{f"{n}.exe": b"MZ\x90" + b"\0" * 1_000_000 for n in range(9)}, "a.txt": "words"}))
    assert collect_texts(results) == {"a.zip!a.txt": "words"}
    monkeypatch.setattr("vecsearch.documents.loaders.media.find_spec", lambda name: None)
    monkeypatch.setattr("vecsearch.core.weights.find_spec", lambda name: None)
    pictures = dict.fromkeys(("a.jpg", "b.jpg", "c"), b"\xff\xd8\xff" + b"\x00" * 1000000)
    results = load_items(make_zip({**pictures, "a.txt": "words"}))
    assert collect_texts(results) == {"a.zip!a.txt": "words"}


def test_sizes_that_lie_change_nothing():
    data = make_zip({"a.txt": "word " * 1_000, "b.txt": "words"})
    for lie in (10, 2**31):
        results = load_items(data.replace(struct.pack("<L", 5_000), struct.pack("<L", lie)))
        assert collect_texts(results)["a.zip!b.txt"] == "words"


def test_too_many_members_are_refused():
    with pytest.raises(UnreadableFileError, match=r"an archive of 10,001 files; more than 10,000 are not read"):
        load_items(make_zip({str(n): "x" for n in range(10_001)}, compression=zipfile.ZIP_STORED))


def test_a_damaged_archive_says_so():
    archive_data = make_zip({"a.txt": "words"})
    for data in (archive_data[:-30], b"PK\x03\x04", b"words", archive_data[:30] + archive_data[60:]):
        try:
            results = load_items(data)
        except UnreadableFileError as error:
            assert str(error) == "a damaged zip archive"
        else:
            assert results == [ParseWarning("a.txt: damaged")]


def test_an_archive_without_text_says_so():
    for data in (b"", make_zip({}), make_zip({"a/": ""}), make_zip({"a.bin": b"\0\1\2\3" * 9})):
        with pytest.raises(EmptyFileError, match=r"no text|the file is empty"):
            load_items(data)
