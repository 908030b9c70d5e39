"""PDFs: boxes of forms, attached files, cells side by side, and words that run from right to left."""

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.documents.test_office import make_docx, p
from vecsearch.core.files import SkippedFile
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.decoding import EmptyFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.raw_file import RawFile

WIDTH = 5.56  # of a digit of Helvetica at 10 points


def make_pdf(*pages, catalog="", extra=(), page=""):
    """Make a PDF of pages, each given as the operators that draw it; `extra` are objects with numbers from 100 on, as bytes."""
    kids = " ".join(f"{10 + 2 * number} 0 R" for number in range(len(pages)))
    objects: dict[int, str | bytes] = {
        1: f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        2: f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
        3: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        4: f"<</Type/Font/Subtype/TrueType/BaseFont/Arial/FirstChar 0/LastChar 255/Widths[{'500 ' * 256}]/ToUnicode 100 0 R>>",
    }
    for number, operators in enumerate(pages):
        objects[10 + 2 * number] = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents {11 + 2 * number} 0 R{page if number == 0 else ''}"
            "/Resources<</Font<</F1 3 0 R/F2 4 0 R>>/XObject<</X 100 0 R>>>>>>"
        )
        objects[11 + 2 * number] = make_stream(operators.encode("latin-1"))
    objects |= dict(enumerate(extra, start=100))
    body, places = b"%PDF-1.7\n", {}
    for number, content in objects.items():
        places[number] = len(body)
        body += b"%d 0 obj%sendobj\n" % (number, content if isinstance(content, bytes) else content.encode("latin-1"))
    table = "".join(f"{number} 1\n{place:010} 00000 n \n" for number, place in places.items())
    end = f"xref\n0 1\n0000000000 65535 f \n{table}trailer<</Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF"
    return body + end.encode()


def make_stream(data, more=""):
    return f"<</Length {len(data)}{more}>>stream\n".encode() + data + b"\nendstream"


def draw(text, x=50.0, y=700.0):
    return f"BT /F1 10 Tf {x} {y} Td ({text})Tj ET "


def load_items(data, **options):
    return list(load(RawFile("f.pdf", ".pdf", content=data, **options)))


def load_text(data):
    (document,) = load_items(data)
    assert isinstance(document, ParsedDocument)
    return document.text


# -- forms


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("/FT/Btn/T(c1_0[0])/V/Off/AS/Off", ""),
        ("/FT/Btn/T(c1_0[0])/V(Off)", ""),
        ("/T(c1_0[0])/V/Off", ""),
        ("/FT/Btn/T(member)/V/Yes/AS/Yes", "member: Yes"),
        ("/FT/Btn/T(push)", ""),
        ("/FT/Tx/T(Day)/V(Off)", "Day: Off"),
        ("/FT/Tx/T(Day)/V()", ""),
        ("/FT/Ch/T(Color)/V(Offwhite)", "Color: Offwhite"),
        ("/FT/Tx/V(no name)", "no name"),
    ],
)
def test_a_box_that_is_not_ticked_says_nothing(field, text):
    data = make_pdf(draw("words"), page="/Annots[100 0 R]", extra=[f"<</Type/Annot/Subtype/Widget/Rect[0 0 9 9]{field}>>"])
    assert load_text(data) == f"words\n\n{text}".strip()


@pytest.mark.parametrize(
    ("field", "first", "second", "text"),
    [
        ("/FT/Btn/Ff 32768/T(size)/V/large", "/AS/Off", "/AS/large", "size: large"),
        ("/FT/Btn/Ff 32768/T(size)/V/Off", "/AS/Off", "/AS/Off", ""),
        ("/FT/Tx/T(owner)/V(Anna)", "", "", "owner: Anna"),  # shown twice
        ("/T(form)", "/FT/Tx/T(a)/V(x)", "/FT/Btn/T(b)/V/Off/AS/Off", "a: x"),
    ],
)
def test_a_field_of_several_boxes_says_its_value_once(field, first, second, text):
    def make_box(more, state):
        return (f"<</Type/Annot/Subtype/Widget/Parent 100 0 R/Rect[0 0 9 9]{more}"
                f"/AP<</N<</{state} 103 0 R/Off 103 0 R>>>>>>")  # fmt: skip

    parent = f"<<{field}/Kids[101 0 R 102 0 R]>>"
    drawn = make_stream(b"", "/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    data = make_pdf(draw("words"), catalog="/AcroForm<</Fields[100 0 R]>>", page="/Annots[101 0 R 102 0 R]",
                    extra=[parent, make_box(first, "small"), make_box(second, "large"), drawn])  # fmt: skip
    assert load_text(data) == f"words\n\n{text}".strip()


# -- attached files


def make_attached(files, *, on_page=(), pages=("BT /F1 10 Tf 50 700 Td (cover)Tj ET",), catalog=""):
    """Make a PDF of files by name, attached to all of it, and some to its first page."""
    extra: list[bytes | str] = []
    for name, content in [*files, *on_page]:
        extra.append(f"<</Type/Filespec/F({name})/EF<</F {101 + len(extra)} 0 R>>>>")
        extra.append(make_stream(content, "/Type/EmbeddedFile"))
    names = " ".join(f"({number:03}) {100 + 2 * number} 0 R" for number in range(len(files)))
    places = range(len(files), len(files) + len(on_page))
    notes = "".join(f"<</Type/Annot/Subtype/FileAttachment/Rect[0 0 9 9]/FS {100 + 2 * number} 0 R>>" for number in places)
    return make_pdf(
        *pages, catalog=f"/Names<</EmbeddedFiles<</Names[{names}]>>>>{catalog}", extra=extra, page=f"/Annots[{notes}]"
    )


def test_attached_files_are_read_like_files_as_documents_of_their_own():
    files = [("notes.txt", b"about herons"), ("a.docx", make_docx(p("from Word"))), ("in.pdf", make_pdf(draw("inner")))]
    items = load_items(make_attached(files))
    assert [(item.id, item.text) for item in items] == [
        ("f.pdf", "cover"), ("f.pdf!notes.txt", "about herons"), ("f.pdf!a.docx", "from Word"), ("f.pdf!in.pdf", "inner"),
    ]  # fmt: skip
    assert items[1].sections[0].location == {"member": "notes.txt", "lines": 1}
    assert items[3].sections[0].location == {"member": "in.pdf", "page": 1}


def test_rows_of_an_attached_table_have_their_own_ids():
    items = load_items(make_attached([("t.csv", b"name,size\nheron,98\nwren,10\n")]))
    assert {item.id.partition("/")[0] for item in items[1:]} == {"f.pdf!t.csv"}
    assert "heron" in items[1].text and items[1].sections[0].location["member"] == "t.csv"


def test_a_file_on_a_page_is_located_there_and_read_once():
    items = load_items(
        make_attached(
            [("a.txt", b"for all"), ("b.md", b"for all")], on_page=[("b.txt", b"for one page"), ("copy.txt", b"for all")]
        )
    )
    assert [item.text for item in items] == ["cover", "for all", "for all", "for one page"]
    assert items[3].sections[0].location == {"page": 1, "member": "b.txt", "lines": 1}


def test_files_of_one_name_are_told_apart_and_names_lead_nowhere():
    items = load_items(make_attached([("a.txt", b"one"), ("../a.txt", b"two"), ("C:\\\\x\\\\a.txt", b"three"), ("..", b"four")]))
    assert [item.id for item in items[1:]] == ["f.pdf!a.txt", "f.pdf!a (2).txt", "f.pdf!a (3).txt", "f.pdf!attachment"]


def test_what_cannot_be_read_of_attached_files_is_said():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.txt", "words")
    files = [("p.png", b"\x89PNG\r\n\x1a\n\0\0"), ("z.zip", stream.getvalue()), ("e.txt", b""), ("d.pdf", b"%PDF-1.7\nbroken"),
             ("good.txt", b"good")]  # fmt: skip
    items = load_items(make_attached(files))
    assert [item.source for item in items if isinstance(item, SkippedFile)] == ["f.pdf!p.png", "f.pdf!e.txt"]
    assert [item.message for item in items if isinstance(item, ParseWarning)] == ["d.pdf: a PDF is damaged"]
    assert items[-1].text == "good"


def test_a_scan_is_called_so_and_costs_no_attached_file():
    picture = make_stream(b"\0", "/Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8")
    with pytest.raises(EmptyFileError, match="no text: a scan"):
        load_items(make_pdf("q 600 0 0 800 0 0 cm /X Do Q", extra=[picture]))
    warning, document = load_items(make_attached([("invoice.xml", b"<a>100 euros</a>")], pages=("",)))
    assert isinstance(warning, ParseWarning) and "no text" in warning.message
    assert (document.id, document.text) == ("f.pdf!invoice.xml", "100 euros")


def test_files_inside_attached_files_are_read_too():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.txt", "packed")
    inner = make_attached([("a.txt", b"one")])
    items = load_items(make_attached([("d.pdf", inner), ("z.zip", stream.getvalue())]))
    assert [(item.id, item.text) for item in items[1:]] == [
        ("f.pdf!d.pdf", "cover"), ("f.pdf!d.pdf/a.txt", "one"), ("f.pdf!z.zip/x.txt", "packed")
    ]  # fmt: skip
    assert items[2].sections[0].location["member"] == "d.pdf/a.txt"


def test_a_pdf_that_holds_itself_over_and_over_comes_to_an_end():
    data = make_attached([("a.txt", b"one")])
    for _ in range(25):
        data = make_attached([("d.pdf", data)])
    items = load_items(data)
    assert "more than 20 files inside each other" in items[-1].message


# -- cells side by side


@pytest.mark.parametrize("gap", [1.6, 2.0, 2.6, 4.0, 20.0])
@pytest.mark.parametrize("is_later_first", [False, True])
def test_numbers_of_cells_side_by_side_have_a_blank_between_them(gap, is_later_first):
    cells = [draw("0.92"), draw("12", 50 + 3.5 * WIDTH + gap)]
    assert load_text(make_pdf("".join(reversed(cells) if is_later_first else cells))) == "0.92 12"


@pytest.mark.parametrize("gap", [-0.8, 0.0, 0.5, 1.0])
def test_a_number_in_pieces_stays_whole(gap):
    assert load_text(make_pdf(draw("0.92") + draw("12", 50 + 3.5 * WIDTH + gap))) == "0.9212"


def test_digits_that_are_spaced_out_stay_one_number():
    digits = "".join(draw(digit, 50 + number * (WIDTH + 1.8)) for number, digit in enumerate("20241231"))
    assert load_text(make_pdf(digits)) == "20241231"


def test_a_blank_stands_neither_after_an_opening_bracket_nor_before_a_stop():
    assert load_text(make_pdf(draw("\\(") + draw("12", 50 + 3.33 + 2) + draw("\\)", 50 + 3.33 + 2 + 2 * WIDTH + 2))) == "(12)"
    assert load_text(make_pdf(draw("12") + draw(",", 50 + 2 * WIDTH + 2))) == "12,"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(10, 99_999), min_size=2, max_size=5), min_size=1, max_size=4), st.floats(1.8, 12))
def test_a_table_of_numbers_has_each_of_them_once_and_in_order(rows, gap):
    page = ""
    for line, row in enumerate(rows):
        left = 50.0
        for number in row:
            page += draw(str(number), round(left, 2), 700 - 20 * line)
            left += len(str(number)) * WIDTH + gap
    assert [[int(number) for number in line.split()] for line in load_text(make_pdf(page)).split("\n")] == rows


# -- from right to left

MIRRORED = str.maketrans("()[]{}«»", ")(][}{»«")
PEACE, BOOK, HELLO = "\u0633\u0644\u0627\u0645", "\u0643\u062a\u0627\u0628", "\u05e9\u05dc\u05d5\u05dd"


def mirror(text):
    """Return the signs that show a text from right to left, from the left."""
    return list(text[::-1].translate(MIRRORED))


def make_shown(signs):
    """Make a PDF that shows signs from left to right, each standing for some characters."""
    codes = {sign: number for number, sign in enumerate(dict.fromkeys(signs), start=65)}
    maps = "".join(f"<{code:02x}> <{sign.encode('utf-16-be').hex()}>\n" for sign, code in codes.items())
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def "
        f"1 begincodespacerange <00> <ff> endcodespacerange {len(codes)} beginbfchar\n{maps}endbfchar endcmap end end"
    )
    return make_pdf(
        f"BT /F2 10 Tf 50 700 Td <{''.join(f'{codes[sign]:02x}' for sign in signs)}> Tj ET", extra=[make_stream(cmap.encode())]
    )


@pytest.mark.parametrize(
    ("signs", "text"),
    [
        (["\u0645", "\u0644\u0627", "\u0633"], PEACE),  # a ligature that the font says two letters of
        (["\ufee1", "\ufefc", "\ufeb3"], PEACE),  # forms of letters, and a ligature that Unicode has
        (["\u0644\u0645\u062c"], "\u0644\u0645\u062c"),
        (["\u0628\u064e", "\u0643\u064f"], "\u0643\u064f\u0628\u064e"),  # letters with their vowels
        (["\ufdf2"], "\u0627\u0644\u0644\u0647"),
        ([*"abc ", "\u0644\u0627"], "abc \u0644\u0627"),
        (["\ufb2a"], "\u05e9\u05c1"),
    ],
)
def test_letters_of_ligatures_stand_in_their_order(signs, text):
    assert load_text(make_shown(signs)) == text


@pytest.mark.parametrize("word", [PEACE, HELLO])
@pytest.mark.parametrize("pair", ["()", "[]", "{}", "\xab\xbb"])
def test_brackets_around_words_from_right_to_left_close(word, pair):
    inner = f"{pair[0]}{word}{pair[1]}"
    for signs, text in (
        (mirror(inner), inner),
        (mirror(f"{word} {inner}"), f"{word} {inner}"),
        ([*f"ab {pair[0]}", *mirror(word), pair[1]], f"ab {inner}"),
        ([*f"ab {pair[0]}", *mirror(word), *f"{pair[1]} xy"], f"ab {inner} xy"),
        ([pair[0], *mirror(word), *f"{pair[1]} xy"], f"{inner} xy"),
        ([*mirror(word), *f" {pair[0]}12{pair[1]} ", *mirror(word)], f"{word} {pair[0]}12{pair[1]} {word}"),
    ):
        assert load_text(make_shown(signs)) == text


def test_brackets_that_a_line_leaves_open_and_lines_without_such_words_stay():
    assert load_text(make_shown([*"ab (", *mirror(PEACE)])) == f"ab ({PEACE}"
    assert load_text(make_shown([*"a (b (c"])) == "a (b (c"
    assert load_text(make_shown([*"((a) b) ", *mirror(BOOK)])).count("(") == 2
