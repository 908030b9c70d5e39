from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import ParsedDocument, ParseWarning
from vecsearch.documents.decoding import EmptyFileError, EncryptedFileError
from vecsearch.documents.loaders import load
from vecsearch.documents.loaders.file_types import detect_file_type
from vecsearch.documents.loaders.office.ole import read_ole_properties
from vecsearch.documents.loaders.raw_file import RawFile

DATA = Path(__file__).parents[3] / "shared" / "data" / "files"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def make_zip(parts):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return stream.getvalue()


def make_relations(**targets):
    """Make relations, by kind, to the parts they lead to; a digit at the end of a kind tells several of one kind apart."""
    relationships = "".join(
        f'<Relationship Id="{kind}" Type="{RELATION}/{kind.rstrip("0123456789")}" Target="{target}"/>'
        for kind, target in targets.items()
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relationships}</Relationships>'


def make_docx(body, *, parts=None, **relations):
    """Make a Word document of a body's XML; `relations` are kinds of relations and the XML of their parts."""
    return make_zip(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": make_relations(officeDocument="word/document.xml"),
            "word/document.xml": f"<w:document {W} {R} {A}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": make_relations(**{kind: f"{kind}.xml" for kind in relations}),
            **{f"word/{kind}.xml": text for kind, text in relations.items()},
            **(parts or {}),
        }
    )


def p(text, style="", properties=""):
    style = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{style}{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def row(*cells):
    return "<w:tr>" + "".join(cell if cell.startswith("<w:tc>") else f"<w:tc>{p(cell)}</w:tc>" for cell in cells) + "</w:tr>"


def style(name, *, display_name="", base="", properties=""):
    base = f'<w:basedOn w:val="{base}"/>' if base else ""
    return f'<w:style w:styleId="{name}"><w:name w:val="{display_name or name}"/>{base}<w:pPr>{properties}</w:pPr></w:style>'


STYLES = (
    f"<w:styles {W}>"
    + "".join(style(f"berschrift{n}", display_name=f"heading {n}") for n in (1, 2, 3))
    + style("Titel", display_name="Title")
    + style("Mine", base="berschrift2")
    + "</w:styles>"
)


def load_items(data, suffix, **options):
    return list(load(RawFile("file", suffix, content=data, **options)))


def load_document(data, suffix, **options):
    (document,) = load_items(data, suffix, **options)
    assert isinstance(document, ParsedDocument)
    return document


def list_places(document):
    return [
        (document.text[section.start :].split("\n")[0], section.location, section.context, section.split_priority)
        for section in document.sections
    ]


# -- Word


def test_headings_are_told_by_their_style_in_any_language_and_stand_above_what_follows():
    body = p("Plan", "Titel") + p("One", "berschrift1") + p("text") + p("Two", "Mine") + p("Three", "berschrift3") + p("end")
    document = load_document(make_docx(body, styles=STYLES), ".docx")
    assert document.title == "Plan"
    assert document.text == "Plan\n\nOne\n\ntext\n\nTwo\n\nThree\n\nend"
    assert list_places(document) == [
        ("Plan", {}, "", None),
        ("One", {"heading": ["One"]}, "", 1),
        ("text", {"heading": ["One"]}, "One", None),
        ("Two", {"heading": ["One", "Two"]}, "One", 2),
        ("Three", {"heading": ["One", "Two", "Three"]}, "One › Two", 3),
        ("end", {"heading": ["One", "Two", "Three"]}, "One › Two › Three", None),
    ]


def test_the_title_that_a_document_states_goes_before_its_headings_and_stands_in_no_context():
    core = (
        '<x xmlns:dc="d" xmlns:t="t"><dc:title>Top</dc:title><dc:creator>Ann;Bo</dc:creator><dc:language>en</dc:language>'
        "<t:created>2024-05-01T10:00:00Z</t:created><t:modified>never</t:modified></x>"
    )
    body = p("Top", "berschrift1") + p("text")
    document = load_document(make_docx(body, styles=STYLES, parts={"docProps/core.xml": core}), ".docx")
    assert document.title == "Top"
    assert document.metadata == {"author": "Ann, Bo", "created": "2024-05-01T10:00:00+00:00", "language": "en"}
    assert [section.context for section in document.sections] == ["", ""]


@pytest.mark.parametrize("title", ["Document1", "untitled", "PowerPoint Presentation", "Microsoft Word - a.doc", ""])
def test_what_programs_call_a_new_document_is_no_title(title):
    core = f'<x xmlns:dc="d"><dc:title>{title}</dc:title></x>'
    assert load_document(make_docx(p("text"), parts={"docProps/core.xml": core}), ".docx").title is None


def test_a_row_of_a_table_is_a_line_with_the_names_of_its_columns():
    merged_cell = "<w:tc><w:tcPr><w:vMerge{}/></w:tcPr>{}</w:tc>"
    first, second = merged_cell.format(' w:val="restart"', p("tea")), merged_cell.format("", "<w:p/>")
    table = f"<w:tbl>{row('kind', 'price')}{row(first, '1')}{row(second, '2')}</w:tbl>"
    assert load_document(make_docx(table), ".docx").text == "kind; price\nkind: tea; price: 1\nkind: tea; price: 2"


def test_no_word_of_a_table_is_lost_to_its_header():
    table = f"<w:tbl>{row('name', 'signature')}{row('Ann', '')}</w:tbl>"
    assert load_document(make_docx(table), ".docx").text == "name; signature\nname: Ann"


def test_a_table_of_one_column_and_one_that_lays_out_a_page_are_text():
    box = f"<w:tbl><w:tr><w:tc>{p('One', 'berschrift1')}{p('a')}{p('b')}</w:tc></w:tr></w:tbl>"
    columns = f"<w:tbl>{row('<w:tc>' + p('Two', 'berschrift1') + p('c') + '</w:tc>', 'd')}</w:tbl>"
    document = load_document(make_docx(box + columns, styles=STYLES), ".docx")
    assert document.text == "One\n\na\n\nb\n\nTwo\n\nc\n\nd"


def make_list_item(text, level=0, number=1):
    return p(text, properties=f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


NUMBERING = f"""<w:numbering {W}><w:abstractNum w:abstractNumId="7">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerRoman"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="*"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="7"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>
</w:numbering>"""


def test_list_items_are_lines_with_the_numbers_that_word_prints():
    body = (
        p("Do")
        + make_list_item("a")
        + make_list_item("b")
        + make_list_item("b1", 1)
        + make_list_item("b2", 1)
        + make_list_item("c")
        + p("or")
        + make_list_item("x", number=2)
        + make_list_item("y", number=2)
        + p("then")
        + make_list_item("z", number=3)
    )
    text = load_document(make_docx(body, numbering=NUMBERING), ".docx").text
    assert text == "Do\n\n1. a\n2. b\n2.i) b1\n2.ii) b2\n3. c\n\nor\n\nx\ny\n\nthen\n\n5. z"


def test_notes_comments_and_text_boxes_follow_their_paragraph_and_margins_stand_at_the_end():
    body = (
        '<w:p><w:r><w:t>first</w:t><w:footnoteReference w:id="2"/></w:r><w:r><w:commentReference w:id="0"/></w:r>'
        "<w:r><w:pict><x><w:txbxContent>" + p("boxed") + "</w:txbxContent></x></w:pict></w:r></w:p>" + p("second")
    )
    document = make_docx(
        body,
        footnotes=f'<w:footnotes {W}><w:footnote w:id="0" w:type="separator">{p("no")}</w:footnote>'
        f'<w:footnote w:id="2">{p("a note")}</w:footnote></w:footnotes>',
        comments=f'<w:comments {W}><w:comment w:id="0" w:author="Ann">{p("why?")}</w:comment></w:comments>',
        header=f"<w:hdr {W}>{p('Report')}</w:hdr>",
        footer=f"<w:ftr {W}>{p('12')}</w:ftr>",
    )
    assert load_document(document, ".docx").text == "first\n\na note\n\n[Ann: why?]\n\nboxed\n\nsecond\n\nReport"


def test_a_text_box_that_stands_in_two_forms_is_read_once():
    box = f"<w:txbxContent>{p('boxed')}</w:txbxContent>"
    body = (
        '<w:p><w:r><mc:AlternateContent xmlns:mc="m"><mc:Choice><w:drawing>'
        f"{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert load_document(make_docx(body), ".docx").text == "boxed"


def test_what_was_deleted_with_changes_tracked_is_left_out_and_what_was_inserted_read():
    body = "<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>"
    assert load_document(make_docx(body), ".docx").text == "new"


def test_a_fields_code_is_no_text():
    body = "<w:p><w:r><w:instrText>PAGE</w:instrText></w:r><w:fldSimple><w:r><w:t>7</w:t></w:r></w:fldSimple></w:p>"
    assert load_document(make_docx(body), ".docx").text == "7"


def test_a_formula_is_text():
    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    body = (
        f"<w:p><m:oMath {m}><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:r><m:t>b+c</m:t></m:r></m:den></m:f>"
        "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></w:p>"
    )
    assert load_document(make_docx(body), ".docx").text == "a/(b+c)x^2"


def test_a_document_that_ends_in_the_middle_is_kept_up_to_there_and_told():
    xml_start = f"<w:document {W}><w:body>{p('kept')}<w:p><w:r>"
    data = make_zip({"[Content_Types].xml": "<Types/>", "word/document.xml": xml_start})
    problem, document = load_items(data, ".docx")
    assert problem == ParseWarning("word/document.xml in it is damaged")
    assert document.text == "kept"


def test_no_entity_grows_and_none_from_outside_is_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    for entities, use in ((f'<!ENTITY l0 "ha">{laughs}', "&l11;"), (f'<!ENTITY x SYSTEM "{secret.as_uri()}">', "&x;")):
        document = f"<!DOCTYPE d [{entities}]><w:document {W}><w:body>{p('before')}{p(use)}</w:body></w:document>"
        data = make_zip({"[Content_Types].xml": "<Types/>", "word/document.xml": document})
        texts = [item.text for item in load_items(data, ".docx") if isinstance(item, ParsedDocument)]
        assert all("ha" not in text and "secret" not in text for text in texts)


@pytest.mark.parametrize("tag", ["w:tbl><w:tr><w:tc", "w:sdt", "w:p><w:r><w:pict><w:txbxContent"])
def test_a_document_nested_too_deeply_is_refused(tag):
    opening = f"<{tag}>" * 5_000
    closing = "".join(f"</{name}>" for name in reversed(tag.split("><"))) * 5_000
    with pytest.raises(UnreadableFileError, match="nested too deeply"):
        load_items(make_docx(opening + p("deep") + closing), ".docx")


@pytest.mark.parametrize(("suffix", "part"), [(".docx", "word/document.xml"), (".pptx", "ppt/a.xml"), (".xlsx", "xl/a.xml")])
def test_a_document_that_expands_to_far_more_than_its_size_is_refused(suffix, part):
    data = make_zip({"[Content_Types].xml": "<Types/>", part: b" " * 40_000_000})
    with pytest.raises(UnreadableFileError, match=r"expands to 38 MB: too much for its size"):
        load_items(data, suffix)


# -- PowerPoint


def shape(text, kind=""):
    holder = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp>{holder}<p:txBody>{lines}</p:txBody></p:sp>"


def make_pptx(*slides, parts=None):
    ns = f'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" {A} {R}'
    numbers = range(1, len(slides) + 1)
    return make_zip(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": make_relations(officeDocument="ppt/presentation.xml"),
            "ppt/presentation.xml": f"<p:presentation {ns}><p:sldIdLst>"
            + "".join(f'<p:sldId id="9" r:id="slide{n}"/>' for n in reversed(numbers))
            + "</p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": make_relations(**{f"slide{n}": f"slides/slide{n}.xml" for n in numbers}),
            **{
                f"ppt/slides/slide{n}.xml": f"<p:sld {ns}><p:cSld><p:spTree>{slides[n - 1]}</p:spTree></p:cSld></p:sld>"
                for n in numbers
            },
            **(parts or {}),
        }
    )


def test_slides_come_in_the_order_in_which_they_are_shown_their_title_first():
    document = load_document(
        make_pptx(shape("body\nmore") + shape("Last", "title"), shape("First", "ctrTitle") + shape("4", "sldNum")), ".pptx"
    )
    assert document.text == "First\n\nLast\n\nbody\nmore"
    assert document.title == "First"
    assert list_places(document) == [
        ("First", {"slide": 1, "heading": ["First"]}, "", 1),
        ("Last", {"slide": 2, "heading": ["Last"]}, "", 1),
        ("body", {"slide": 2, "heading": ["Last"]}, "Last", None),
    ]
    assert [section.hard_boundary for section in document.sections] == [True, True, False]


def test_shapes_in_groups_and_cells_of_tables_are_read():
    cells = "<a:tr><a:tc>{}</a:tc><a:tc>{}</a:tc></a:tr>"
    text = "<p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody>"
    table = "".join(cells.format(text.format(first), text.format(two)) for first, two in (("name", "size"), ("pipe", "2")))
    group = f"<p:grpSp><p:grpSp>{shape('inner')}</p:grpSp></p:grpSp>"
    document = load_document(make_pptx(group + f"<p:graphicFrame><a:tbl>{table}</a:tbl></p:graphicFrame>"), ".pptx")
    assert document.text == "inner\n\nname; size\nname: pipe; size: 2"


def test_notes_comments_and_charts_belong_to_their_slide():
    c = 'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
    points = '<c:{0}><c:strCache><c:pt idx="0"><c:v>{1}</c:v></c:pt><c:pt idx="1"><c:v>{2}</c:v></c:pt></c:strCache></c:{0}>'
    series = (
        f"<c:ser><c:tx><c:v>Ducks</c:v></c:tx>{points.format('cat', 'May', 'June')}{points.format('val', '3.0', '4.5')}</c:ser>"
    )
    parts = {
        "ppt/slides/_rels/slide1.xml.rels": make_relations(notesSlide="n.xml", comments="c.xml", chart="h.xml"),
        "ppt/slides/n.xml": f"<x {A} xmlns:p='p'>{shape('say this', 'body')}{shape('1', 'sldNum')}</x>",
        "ppt/slides/c.xml": "<x xmlns:p='p'><p:cm><p:text>nice</p:text></p:cm></x>",
        "ppt/slides/h.xml": f"<c:chartSpace {c}><c:barChart>{series}</c:barChart></c:chartSpace>",
    }
    frame = '<p:graphicFrame><c:chart xmlns:c="c" r:id="chart"/></p:graphicFrame>'
    text = load_document(make_pptx(shape("words") + frame, parts=parts), ".pptx").text
    assert text == "words\n\nBar chart\nMay; Ducks: 3\nJune; Ducks: 4.5\n\nsay this\n\nnice"


def test_a_slide_that_is_not_in_the_file_costs_no_other():
    data = make_pptx(shape("one"), shape("two"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if not name.endswith("slide2.xml")}
    problem, document = load_items(make_zip(parts), ".pptx")
    assert (problem, document.text) == (ParseWarning("slide 1: not in the file"), "one")


def test_slides_of_pictures_only_have_no_text():
    with pytest.raises(EmptyFileError, match="no text on its slides"):
        load_items(make_pptx("<p:pic/>"), ".pptx")


# -- OpenDocument

ODF = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (("office",) * 2, ("text",) * 2, ("table",) * 2, ("draw", "drawing"), ("presentation",) * 2)
)


def make_opendocument(kind, body, *, manifest="<m/>", meta="<m/>", styles="<s/>"):
    return make_zip(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "META-INF/manifest.xml": manifest,
            "meta.xml": meta,
            "styles.xml": styles,
            "content.xml": f"<office:document-content {ODF}><office:body><office:{kind}>{body}</office:{kind}></office:body>"
            "</office:document-content>",
        }
    )


def test_an_opendocument_text_has_headings_lists_tables_notes_and_margins():
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    body = (
        '<text:h text:outline-level="1">One</text:h><text:p>a<text:s text:c="2"/>b'
        "<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>noted</text:p></text:note-body></text:note> c</text:p>"
        "<text:list><text:list-item><text:p>x</text:p><text:list><text:list-item><text:p>y</text:p></text:list-item></text:list>"
        "</text:list-item></text:list>"
        f"<table:table><table:table-header-rows><table:table-row>{cell.format('k')}{cell.format('v')}</table:table-row>"
        f"</table:table-header-rows><table:table-row>{cell.format('1')}{cell.format('2')}</table:table-row></table:table>"
        "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes>"
    )
    margin = (
        f'<s {ODF} xmlns:style="s"><style:master-page><style:footer><text:p>Foot</text:p></style:footer></style:master-page></s>'
    )
    meta = '<m xmlns:dc="d" xmlns:meta="t"><dc:title>T</dc:title><meta:initial-creator>Ann</meta:initial-creator></m>'
    document = load_document(make_opendocument("text", body, meta=meta, styles=margin), ".odt")
    assert document.text == "One\n\na  b c\n\nnoted\n\nx\ny\n\nk: 1; v: 2\n\nFoot"
    assert (document.title, document.metadata) == ("T", {"author": "Ann"})
    assert list_places(document)[1] == ("a  b c", {"heading": ["One"]}, "One", None)


def test_opendocument_slides_stand_apart_with_their_notes():
    body = (
        "<draw:page><draw:frame><draw:text-box><text:p>body</text:p></draw:text-box></draw:frame>"
        '<draw:frame presentation:class="title">'
        "<draw:text-box><text:p>First</text:p></draw:text-box></draw:frame></draw:page><draw:page><draw:custom-shape><text:p>two</text:p>"
        '</draw:custom-shape><presentation:notes><draw:frame presentation:class="notes"><draw:text-box><text:p>say</text:p>'
        "</draw:text-box></draw:frame></presentation:notes></draw:page>"
    )
    document = load_document(make_opendocument("presentation", body), ".odp")
    assert document.text == "First\n\nbody\n\ntwo\n\nsay"
    assert [(text, place) for text, place, _, _ in list_places(document)] == [
        ("First", {"slide": 1, "heading": ["First"]}),
        ("body", {"slide": 1, "heading": ["First"]}),
        ("two", {"slide": 2}),
    ]


@pytest.mark.parametrize(("kind", "suffix"), [("text", ".odt"), ("presentation", ".odp"), ("spreadsheet", ".ods")])
def test_an_encrypted_opendocument_file_is_told(kind, suffix):
    entry = '<file-entry full-path="content.xml"><encryption-data><algorithm algorithm-name="{}"/></encryption-data></file-entry>'
    with pytest.raises(EncryptedFileError, match="is encrypted; give its password"):
        load_items(make_opendocument(kind, "", manifest=f"<m>{entry.format('aes256-cbc')}</m>"), suffix)
    with pytest.raises(UnreadableFileError, match="encrypted in a way that is not known"):
        load_items(make_opendocument(kind, "", manifest=f"<m>{entry.format('blowfish')}</m>"), suffix)


# -- books and rich text


def make_epub(chapters, *, parts=None):
    manifest_items = "".join(f'<item id="c{n}" href="c%20{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    metadata = "<dc:title>Book</dc:title><dc:creator>Ann</dc:creator><dc:creator>Bo</dc:creator><dc:language>de</dc:language>"
    return make_zip(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<c><rootfiles><rootfile full-path="O/b.opf"/></rootfiles></c>',
            "O/b.opf": f'<package xmlns:dc="d"><metadata>{metadata}</metadata><manifest>{manifest_items}</manifest>'
            f"<spine>{spine}</spine></package>",
            **{f"O/c {n}.xhtml": text for n, text in enumerate(chapters) if text is not None},
            **(parts or {}),
        }
    )


def test_the_chapters_of_a_book_follow_each_other_under_their_headings():
    pages = [
        "<html><head><title/></head><h1>One</h1><p>a</p></html>",
        "<title>Two</title><p>b</p>",
        "<title>Book</title><p>c</p>",
    ]
    document = load_document(make_epub(pages), ".epub")
    assert (document.text, document.title) == ("One\n\na\n\nb\n\nc", "Book")
    assert document.metadata == {"author": "Ann, Bo", "language": "de"}
    assert list_places(document) == [
        ("One", {"heading": ["One"]}, "", 1),
        ("a", {"heading": ["One"]}, "One", None),
        ("b", {"heading": ["Two"]}, "Two", 1),
        ("c", {}, "", 1),
    ]


def test_a_chapter_that_is_not_there_costs_no_other():
    problem, document = load_items(make_epub(["<p>a</p>", None]), ".epub")
    assert (problem, document.text) == (ParseWarning("O/c 1.xhtml: not in the file"), "a")


def test_a_book_under_copy_protection_is_told():
    locked = '<e><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></EncryptedData></e>'
    with pytest.raises(UnreadableFileError, match="copy protection"):
        load_items(make_epub(["x"], parts={"META-INF/encryption.xml": locked}), ".epub")


def test_rich_text_keeps_its_letters_and_tables_and_leaves_its_pictures():
    data = (
        rb"{\rtf1\ansi\ansicpg1250{\info{\title P\'f8\'edklad}{\author Ann}{\creatim\yr2024\mo5\dy1\hr9\min5}}"
        rb"{\pict\pngblip " + b"0a" * 900 + rb"}\'e8esky\par{\pict\bin3 {{{}"
        rb"\trowd a\cell b\cell\row\trowd 1\cell 2\cell\row\pard end \u8364?\par}"
    )
    document = load_document(data, ".rtf")
    assert document.text == "česky\n\na; b\na: 1; b: 2\n\nend €"
    assert (document.title, document.metadata) == ("Příklad", {"author": "Ann", "created": "2024-05-01T09:05:00"})


# -- kinds


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (make_docx(p("x")), ".docx"),
        (make_pptx(shape("x")), ".pptx"),
        (make_zip({"[Content_Types].xml": "", "xl/workbook.bin": ""}), ".xlsx"),
        (make_opendocument("text", ""), ".odt"),
        (make_opendocument("spreadsheet", ""), ".ods"),
        (make_opendocument("presentation", ""), ".odp"),
        (make_epub(["x"]), ".epub"),
        (make_zip({"notes/word/a.txt": "x"}), ".zip"),
        (make_zip({}), ".zip"),
        (b"{\\rtf1 x}", ".rtf"),
        (b"%PDF-1.7\n", ".pdf"),
        (b"\x00\x01junk\x02\x03\x04\x05\n%PDF-1.4\n", ".pdf"),
        (b"The header is %PDF-1.4 and then\n", None),
        (b"PK is a film", None),
        (b"text", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".txt", ".doc"])
def test_the_bytes_say_what_a_file_is_whatever_its_name(data, kind, suffix):
    assert detect_file_type(RawFile("file", suffix, content=data)) == kind


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".docm", ".docx"), (".potx", ".pptx"), (".xlsb", ".xlsx"), (".zip", ".zip"), ("", ".zip")]
)
def test_a_zip_cut_short_is_what_its_name_says(suffix, kind):
    assert detect_file_type(RawFile("file", suffix, content=make_docx(p("x"))[:200])) == kind


@pytest.mark.parametrize("suffix", [".docx", ".docm", ".txt", ""])
def test_a_document_is_read_under_any_name(suffix):
    assert load_document(make_docx(p("words")), suffix).text == "words"


# -- damage


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".odt", ".odp", ".epub", ".rtf", ".doc", ".ppt"])
def test_an_empty_file_says_so(suffix):
    with pytest.raises(EmptyFileError, match="the file is empty"):
        load_items(b"", suffix)


@pytest.mark.parametrize("suffix", [".docx", ".pptx", ".odt", ".odp", ".epub", ".rtf", ".doc", ".ppt"])
@pytest.mark.parametrize("data", [b"PK\x03\x04" + b"\0" * 40, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600])
def test_a_damaged_document_says_so_in_one_line(data, suffix):
    with pytest.raises(UnreadableFileError, match=r"\A[^\n]+\Z"):
        load_items(data, suffix)


# -- real files


def read_real_file(name):
    for folder in ("good", "bad"):
        if (path := DATA / folder / name).exists():
            return RawFile(name, path.suffix, path=path)
    return pytest.skip("the real files of ../shared/data/files are not there")


def load_real_document(name, **options):
    raw = read_real_file(name)
    raw.passwords = options.get("passwords", ())
    return next(item for item in load(raw) if isinstance(item, ParsedDocument))


def test_an_old_word_document_has_headings_tables_lists_and_what_stands_beside_the_text():
    document = load_real_document("docling__legacy_sample.doc")
    assert [section.location.get("heading") for section in document.sections] == [
        None, ["Let’s swim!"], ["Let’s swim!"], ["Let’s swim!", "Let’s eat"], ["Let’s swim!", "Let’s eat"],
    ]  # fmt: skip
    assert "Leaves; Food: Ash, Elm, Maple; Calories per portion: 50\nBerries;" in document.text
    assert "1. Wear sunglasses\n2. Don’t forget to drink water\n" in document.text
    other_document = load_real_document("tika__testWORD_various.doc")
    for words in ("𐌲𐌿𐍄𐌹𐍃𐌺", "This is a footnote.", "Here is a text box", "This is the header text.", "\nThis is a hyperlink\n"):
        assert words in other_document.text
    assert "HYPERLINK" not in other_document.text
    assert other_document.metadata["author"] == "Michael McCandless"


def test_old_slides_come_with_their_titles():
    document = load_real_document("tika__testPPT.ppt")
    assert document.title == "Sample Powerpoint Slide"
    assert document.sections[0].location == {"slide": 1, "heading": ["Sample Powerpoint Slide"]}
    assert document.text.startswith("Sample Powerpoint Slide\n\nCreated with Microsoft")


@pytest.mark.parametrize(
    "name", ["tika__testWORD_protected_passtika.docx", "tika__testEXCEL_protected_passtika.xlsx", "tika__testODTEncrypted.odt"]
)
def test_an_encrypted_document_opens_with_its_password_only(name):
    assert load_real_document(name, passwords=("wrong", "tika")).text
    with pytest.raises(EncryptedFileError, match="give its password"):
        load_real_document(name)
    with pytest.raises(EncryptedFileError, match="none of the passwords"):
        load_real_document(name, passwords=("wrong",))


def test_properties_that_are_damaged_cost_no_text():
    raw = read_real_file("tika__testPPT.ppt")
    position = raw.data.index(bytes.fromhex("e0859ff2f94f6810ab9108002b27b3d9")) + 24  # how many there are, in their section
    damaged = raw.data[:position] + b"\xff\xff\xff\x7f" + raw.data[position + 4 :]
    warning, document = load_items(damaged, ".ppt")
    assert warning == ParseWarning("the title, author and dates in it are damaged")
    assert document.text.startswith("Sample")


class _BrokenOle:
    """A container whose streams cannot be read, as a fuzzed file has them."""

    def __init__(self, data=None):
        self.data = data

    def exists(self, name):
        return True

    def openstream(self, name):
        if self.data is None:
            raise OSError("incorrect OLE sector index")
        return io.BytesIO(self.data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "the stream 'SummaryInformation' in it cannot be read: incorrect OLE sector index"),
        (b"\xfe\xff damaged", "the title, author and dates in it are damaged"),
    ],
)
def test_what_cannot_be_read_of_an_old_document_is_said(data, message):
    problems: list[ParseWarning] = []
    assert read_ole_properties(_BrokenOle(data), problems) == (None, {})
    assert problems == [ParseWarning(message)]
