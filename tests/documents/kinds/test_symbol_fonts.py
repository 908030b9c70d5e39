"""Signs of Symbol, Wingdings and the like are stored as the characters that they show."""

import struct
import unicodedata

import pytest

from tests.documents.test_office import ODF, W, load_document, make_docx, make_pptx, make_zip
from vecsearch.documents.loaders.html import extract_html_text
from vecsearch.documents.loaders.legacy.ppt_symbols import decode_run_symbols
from vecsearch.documents.loaders.legacy.word_binary import WordBinary
from vecsearch.documents.loaders.symbol_fonts import decode_symbols, is_symbol_font

SIGN_FONTS = ("Symbol", "Wingdings", "Wingdings 2", "Wingdings 3", "Webdings", "ITC Zapf Dingbats")


@pytest.mark.parametrize(
    ("font", "text", "shown"),
    [
        ("Symbol", "mabDW", "μαβΔΩ"),
        ("Symbol", "\uf06d\uf0b0\uf0b1\uf0a3\uf0ae\uf0d6", "μ°±≤→√"),
        ("Symbol", "·\uf0b7", "••"),
        ("Wingdings", "à\uf0e0\uf0df\uf0e1\uf0e2", "→→←↑↓"),
        ("Wingdings", "\uf0fb\uf0fc\uf0fd\uf0fe\uf0a8", "✗✓☒☑□"),
        ("Wingdings", "§\uf0a7nl", "▪▪■●"),
        ("Wingdings 2", "\uf050\uf04f\uf052\uf0a3", "✓✗☑□"),
        ("Wingdings 3", "\uf022\uf0e2", "→→"),
        ("Webdings", "\uf061", "✔"),
        ("ITC Zapf Dingbats", "4", "✔"),
        ("Symbol", "\uf07f\x7f\x99", ""),
        ("Symbol", "\xa0\uf0a0", "\xa0€"),
        ("Symbol", "a – b\n漢", "α – β\n漢"),
        ("OpenSymbol", "m\uf06d\uf0e0\uf0fc\uf0b7", "mμ→✓•"),
        ("Segoe UI Symbol", "m\uf06d", "m\uf06d"),
        ("", "m", "m"),
    ],
)
def test_a_font_of_signs_shows_other_characters(font, text, shown):
    assert decode_symbols(font, text) == shown


@pytest.mark.parametrize(
    "name",
    ["SYMBOL", "ABCDEF+SymbolMT", "Symbol,Bold", "Symbol-BoldItalic", "SymbolPS", "Wingdings-Regular", "Wingdings2", "Webdings"],
)
def test_a_fonts_name_is_known_in_any_spelling(name):
    assert is_symbol_font(name)


@pytest.mark.parametrize("name", ["Segoe UI Symbol", "Symbola", "Apple Symbols", "Noto Sans Symbols", "Wingdings 4", "Arial"])
def test_fonts_of_unicode_are_no_fonts_of_signs(name):
    assert not is_symbol_font(name)


@pytest.mark.parametrize("font", SIGN_FONTS)
def test_every_sign_is_one_printable_character_and_the_same_in_the_private_range(font):
    for code in range(0x20, 0x100):
        sign = decode_symbols(font, chr(0xF000 + code))
        assert chr(code).isspace() or sign == decode_symbols(font, chr(code))
        assert sign == decode_symbols(font, chr(0xF000 + code), private_only=True)
        assert decode_symbols(font, chr(code), private_only=True) == chr(code)
        assert len(sign) <= 1
        assert not sign or unicodedata.category(sign) not in ("Co", "Cn", "Cc")


def test_symbols_letters_are_the_greek_ones():
    for code in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)):
        assert unicodedata.name(decode_symbols("Symbol", chr(code))).startswith("GREEK ")


# -- Word


def make_run(text, font="", style=""):
    fonts = f'<w:rFonts w:ascii="{font}" w:hAnsi="{font}"/>' if font else ""
    named = f'<w:rStyle w:val="{style}"/>' if style else ""
    return f'<w:r><w:rPr>{named}{fonts}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


DOSE = make_run("5 ") + '<w:r><w:sym w:font="Symbol" w:char="F06D"/></w:r>' + make_run("g ") + make_run("\uf061", "Symbol")
WINGDINGS, SYMBOL = (f'<w:rPr><w:rFonts w:ascii="{font}" w:hAnsi="{font}"/></w:rPr>' for font in ("Wingdings", "Symbol"))
STYLES = (
    f'<w:styles {W}><w:style w:type="character" w:styleId="Sign">{WINGDINGS}</w:style>'
    '<w:style w:type="character" w:styleId="Sub"><w:basedOn w:val="Sign"/></w:style>'
    f'<w:style w:type="paragraph" w:styleId="Greek">{SYMBOL}</w:style></w:styles>'
)


def test_signs_of_a_word_document_are_read_wherever_they_stand():
    text_box = f"<w:r><w:pict><v:textbox xmlns:v='v'><w:txbxContent><w:p>{DOSE}</w:p></w:txbxContent></v:textbox></w:pict></w:r>"
    mark = '<w:r><w:{}Reference w:id="7"/></w:r>'
    body = (
        f"<w:p>{DOSE}{text_box}{mark.format('footnote')}{mark.format('comment')}</w:p>"
        f"<w:tbl><w:tr><w:tc><w:p>{DOSE}</w:p></w:tc><w:tc><w:p>{DOSE}</w:p></w:tc></w:tr></w:tbl>"
    )
    document = load_document(
        make_docx(
            body,
            styles=STYLES,
            footnotes=f'<w:footnotes {W}><w:footnote w:id="7"><w:p>{DOSE}</w:p></w:footnote></w:footnotes>',
            comments=f'<w:comments {W}><w:comment w:id="7"><w:p>{DOSE}</w:p></w:comment></w:comments>',
            header=f"<w:hdr {W}><w:p>{DOSE}, of all pages</w:p></w:hdr>",
        ),
        ".docx",
    )
    assert document.text.count("5 μg α") == 7


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (make_run("m\uf0b7", "Symbol") + make_run("m\uf06d", "Arial"), "μ•m"),
        (make_run("\uf0e0", style="Sign") + make_run("\uf0fc", style="Sub") + make_run("x"), "→✓x"),
        (make_run("\uf0e0", "Symbol", "Sign"), "◊"),
        ('<w:r><w:sym w:font="MS Gothic" w:char="2610"/><w:sym w:font="Symbol" w:char="?"/></w:r>', "☐"),
        ('<w:r><w:rPr><w:rFonts w:cs="Symbol"/></w:rPr><w:t>m</w:t></w:r>', "m"),
        ('<w:pPr><w:pStyle w:val="Greek"/></w:pPr>' + make_run("m") + make_run("m", "Arial"), "μm"),
    ],
)
def test_a_word_runs_font_is_its_own_or_its_styles(runs, text):
    assert load_document(make_docx(f"<w:p>{runs}</w:p>", styles=STYLES), ".docx").text == text


# -- PowerPoint


def make_shape(runs):
    return f"<p:sp><p:txBody><a:p>{runs}</a:p></p:txBody></p:sp>"


def make_slide_run(text, **fonts):
    properties = "".join(f'<a:{kind} typeface="{font}"/>' for kind, font in fonts.items())
    return f"<a:r><a:rPr>{properties}</a:rPr><a:t>{text}</a:t></a:r>"


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (make_slide_run("5 ") + make_slide_run("m\uf06d", latin="Symbol") + make_slide_run("g"), "5 μμg"),
        (make_slide_run("go \uf0e0 m", latin="Arial", sym="Wingdings"), "go → m"),
        (make_slide_run("go ") + make_slide_run("à", sym="Wingdings") + make_slide_run(" on"), "go → on"),
        (make_slide_run("cinq à sept", sym="Wingdings"), "cinq à sept"),
        (make_slide_run("m\uf06d", latin="+mn-lt"), "m"),
    ],
)
def test_signs_on_a_slide_are_those_of_the_runs_font(runs, text):
    table = f"<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p>{runs}</a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>"
    document = load_document(make_pptx(make_shape(runs) + table), ".pptx")
    assert document.text == f"{text}\n\n{text}"
    assert document.sections[0].location == {"slide": 1}


# -- OpenDocument


def make_opendocument(kind, body, styles, *, shared=""):
    """Make a file of a body, its own styles, and those of its part for all pages."""
    namespaces = f'{ODF} xmlns:style="style" xmlns:fo="fo" xmlns:svg="svg" xmlns:xlink="xlink"'
    return make_zip(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "styles.xml": f"<office:document-styles {namespaces}>{shared}</office:document-styles>",
            "content.xml": f"<office:document-content {namespaces}>{styles}<office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>",
        }
    )


def make_style(name, family, font="", parent=""):
    properties = f'<style:text-properties style:font-name="{font}"/>' if font else ""
    parent = f' style:parent-style-name="{parent}"' if parent else ""
    return f'<style:style style:name="{name}" style:family="{family}"{parent}>{properties}</style:style>'


FACES = (
    '<office:font-face-decls><style:font-face style:name="Symbol1" svg:font-family="Symbol"/>'
    '<style:font-face style:name="Signs" svg:font-family="\'Wingdings\'"/></office:font-face-decls>'
)
SPANS = (
    '<text:p>5 <text:span text:style-name="S">\uf06d<text:span text:style-name="W">\uf0e0</text:span>m</text:span>g m</text:p>'
    '<text:p text:style-name="P">m<text:span text:style-name="C">\uf0fc</text:span></text:p>'
)
SHOWN = "5 μ→μg m\n\nμ✓"


@pytest.mark.parametrize("kind", ["text", "presentation"])
def test_signs_in_an_opendocument_file_are_those_of_their_styles_font(kind):
    own = make_style("S", "text", "Symbol1") + make_style("C", "text", parent="W") + make_style("P", "paragraph", "Symbol1")
    shared = f"{FACES}<office:styles>{make_style('W', 'text', 'Signs')}{make_style('S', 'text', 'Signs')}</office:styles>"
    body = SPANS if kind == "text" else f"<draw:page><draw:frame><draw:text-box>{SPANS}</draw:text-box></draw:frame></draw:page>"
    data = make_opendocument(kind, body, f"{FACES}<office:automatic-styles>{own}</office:automatic-styles>", shared=shared)
    assert load_document(data, ".odt" if kind == "text" else ".odp").text == SHOWN


def test_signs_in_cells_notes_and_margins_of_an_opendocument_text_are_read():
    sign = '<text:p>a <text:span text:style-name="S">\uf06d</text:span></text:p>'
    body = (
        f"<table:table><table:table-row><table:table-cell>{sign}</table:table-cell><table:table-cell>{sign}</table:table-cell>"
        f"</table:table-row></table:table><text:p>x<text:note><text:note-body>{sign}</text:note-body></text:note></text:p>"
        f"<text:list><text:list-item>{sign}</text:list-item></text:list>"
    )
    styles = f"<office:automatic-styles>{make_style('S', 'text', 'Symbol')}</office:automatic-styles>"
    page = f"<style:master-page><style:header>{sign}</style:header></style:master-page>"
    margins = f"<office:master-styles>{page}</office:master-styles>"
    assert load_document(make_opendocument("text", body, styles, shared=styles + margins), ".odt").text.count("a μ") == 5


# -- pages


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>5 <font face=Symbol>m</font>g", "5 μg"),
        ("<p>5 <span style='FONT-FAMILY: \"Wingdings\", serif; color: red'>\xe0 <b>\xfc</b></span> on", "5 → ✓ on"),
        (
            "<p><span style='font-family:Symbol;mso-list:Ignore'>\xb7<span style='font:7.0pt \"Times New Roman\"'>&nbsp; </span>"
            "</span>One",
            "• One",
        ),
        ("<p style='font: 12px/1.2 Wingdings'>\xa7<i style='font-family:Arial'>m</i>", "▪m"),
        ("<p style='font-family: Segoe UI Symbol'>m <b style='font-family:Arial, Symbol'>m</b>", "m m"),
        ("<p>The Symbol font is <span class=Symbol>m</span>", "The Symbol font is m"),
    ],
)
def test_signs_in_a_page_are_those_of_their_font(page, text):
    assert extract_html_text(page)[1] == text


# -- PDF


def make_pdf(font, codes, *, unicode=None, in_form=False, line="5 "):
    """Make a page that says `line` in Helvetica, some codes in a font (by a map to Unicode, if given), and "g x" again."""
    objects = []

    def add(content, stream=None):
        body = b"<< %s /Length %d >>\nstream\n%s\nendstream" % (content, len(stream), stream) if stream else b"<< %s >>" % content
        objects.append(body)
        return len(objects)

    mapping = b""
    if unicode:
        pairs = b" ".join(b"<%02X> <%04X>" % pair for pair in unicode.items())
        cmap = (
            b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange %d beginbfchar %s "
        )
        mapping = b"/ToUnicode %d 0 R" % add(b"", cmap % (len(unicode), pairs) + b"endbfchar endcmap end")
    helvetica = add(b"/Type /Font /Subtype /Type1 /BaseFont /Helvetica")
    widths = b"" if unicode is None and "+" not in font else b"/FirstChar 32 /LastChar 255 /Widths [%s]" % (b"600 " * 224)
    kind = b"/TrueType" if widths else b"/Type1"
    signs = add(b"/Type /Font /Subtype %s /BaseFont /%s %s %s" % (kind, font.encode(), widths, mapping))
    fonts = b"/Resources << /Font << /H %d 0 R /S %d 0 R >> >>" % (helvetica, signs)
    text = b"BT /H 12 Tf 50 700 Td (%s) Tj /S 12 Tf <%s> Tj /H 12 Tf (g x) Tj ET" % (line.encode(), codes.hex().encode())
    if in_form:
        form = add(b"/Type /XObject /Subtype /Form /BBox [0 0 600 800] " + fonts, text)
        fonts, text = b"/Resources << /XObject << /F %d 0 R >> >>" % form, b"/F Do"
    content, parent = add(b"", text), len(objects) + 2
    page = add(b"/Type /Page /Parent %d 0 R /MediaBox [0 0 600 800] /Contents %d 0 R %s" % (parent, content, fonts))
    add(b"/Type /Pages /Kids [%d 0 R] /Count 1" % page)
    root = add(b"/Type /Catalog /Pages %d 0 R" % parent)
    data, starts = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        starts.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return data + head + b"trailer << /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, root, len(data))


@pytest.mark.parametrize(
    ("font", "codes", "unicode", "text"),
    [
        ("Symbol", b"mab", None, "μαβ"),
        ("ZapfDingbats", b"4", None, "✔"),
        ("ABCDEF+SymbolMT", b"mab", None, "μαβ"),
        ("ABCDEF+Wingdings-Regular", b"\xe0\xfc\xa7n", None, "→✓▪■"),
        ("ABCDEF+SymbolMT", b"m\xb7", {0x6D: 0xF06D, 0xB7: 0xF0B7}, "μ•"),
        ("ABCDEF+SymbolMT", b"m\xb4\xb0", {0x6D: 0x3BC, 0xB4: 0xD7, 0xB0: 0xB0}, "μ×°"),
        ("ABCDEF+SymbolMT", b"ma", {0x6D: 0x6D, 0x61: 0x61}, "μα"),
        ("ABCDEF+Wingdings", b"\xe0\xfc", {0xE0: 0xE0, 0xFC: 0xFC}, "→✓"),
        ("ABCDEF+OpenSymbol", b"m\xe0", {0x6D: 0xF06D, 0xE0: 0xF0E0}, "μ→"),
        ("ABCDEF+FontAwesome", b"m", {0x6D: 0xF06D}, ""),
        ("ABCDEF+Arial", b"m", {0x6D: 0x6D}, "m"),
    ],
)
@pytest.mark.parametrize("in_form", [False, True])
def test_signs_in_a_pdf_are_those_of_their_font(font, codes, unicode, text, in_form):
    document = load_document(make_pdf(font, codes, unicode=unicode, in_form=in_form), ".pdf")
    assert document.text == f"5 {text}g x"
    assert document.sections[0].location == {"page": 1}


def test_bullets_at_the_beginning_of_a_line_of_a_pdf_stay_bullets():
    for code, bullet in ((b"n", "■"), (b"\xb7", "•"), (b"\xa7", "▪")):
        data = make_pdf("ABCDEF+OpenSymbol", code + b" ", unicode={code[0]: 0xF000 + code[0], 0x20: 0x20}, line="")
        assert load_document(data, ".pdf").text == f"{bullet} g x"


# -- Word before 2007


def make_word_binary(runs, fonts, *, narrow=False):
    """Make the tables of a document whose text is runs, each with its character properties."""
    encoding, width = ("cp1252", 1) if narrow else ("utf-16-le", 2)
    text = "".join(words for words, _ in runs)
    starts, properties, place = [0x600], bytearray(512), 510
    for number, (words, data) in enumerate(runs):
        starts.append(starts[-1] + len(words) * width)
        if data:
            place = (place - len(data) - 1) & ~1
            properties[place : place + len(data) + 1] = bytes([len(data), *data])
            properties[4 * len(runs) + 4 + number] = place // 2
    properties[: 4 * len(starts)] = struct.pack(f"<{len(starts)}I", *starts)
    properties[511] = len(runs)
    names = [font.encode("utf-16-le") + b"\0\0" for font in fonts]
    at = 0x600 * 2 | 0x40000000 if narrow else 0x600
    pieces = struct.pack("<IIHIH", 0, len(text), 0, at, 0)
    tables = {
        0xFA: struct.pack("<III", starts[0], starts[-1], 2),
        0x112: struct.pack("<HH", len(names), 0) + b"".join(bytes([39 + len(name)]) + bytes(39) + name for name in names),
        0x1A2: b"\2" + struct.pack("<I", len(pieces)) + pieces,
    }
    header, table = bytearray(0x400), b""
    for offset, data in tables.items():
        header[offset : offset + 8] = struct.pack("<II", len(table), len(data))
        table += data
    return WordBinary(bytes(header) + bytes(properties) + text.encode(encoding), table)


def make_font(number):
    return struct.pack("<HHHH", 0x4A4F, number, 0x4A51, number)


@pytest.mark.parametrize("narrow", [False, True])
def test_signs_of_an_old_word_document_are_those_of_the_runs_font(narrow):
    symbol = struct.pack("<HHH", 0x6A09, 2, 0xF0E0)
    runs = [
        ("5 ", b""),
        ("m", make_font(1)),
        ("g ", make_font(0)),
        ("((", symbol),
        (" m", b""),
        ("\x7f", make_font(1)),
        (".", b""),
    ]
    assert make_word_binary(runs, ["Arial", "Symbol", "Wingdings"], narrow=narrow).decode_text() == "5 μg →→ m\1."


def test_private_characters_of_an_old_word_document_keep_their_places():
    runs = [("\uf06d", make_font(0)), ("\uf028", make_font(1)), ("\uf06d", make_font(7)), ("b", b"")]
    assert make_word_binary(runs, ["Symbol", "Wingdings"]).decode_text() == "μ🕿\uf06db"


# -- PowerPoint before 2007


FONTS = {0: "Arial", 1: "Symbol", 2: "Wingdings"}


def make_style_atom(runs, paragraphs=b""):
    """Make a style atom of runs, each a number of characters and what is stated of them."""
    return paragraphs + b"".join(struct.pack("<I", count) + stated for count, stated in runs)


def state_font(number):
    return struct.pack("<IHHHI", 0x1 | 1 << 16 | 1 << 17 | 1 << 18, 1, number, 18, 0xFE000000)


def state_symbol_font(number):
    return struct.pack("<IHHHH", 1 << 16 | 1 << 21 | 1 << 22 | 1 << 23, 0, 0, 0, number)


PLAIN = struct.pack("<I", 0)


@pytest.mark.parametrize(
    ("text", "runs", "shown"),
    [
        ("5 mg", [(2, PLAIN), (1, state_font(1)), (2, PLAIN)], "5 μg"),
        ("𐌰 m m", [(3, PLAIN), (1, state_font(1)), (9, PLAIN)], "𐌰 μ m"),
        ("m\uf0e0m", [(4, state_symbol_font(2))], "m→m"),
        ("m\uf0e0m", [(1, state_font(1))], "m\uf0e0m"),
        ("mm", [(2, state_font(9))], "mm"),
    ],
)
def test_signs_on_an_old_slide_are_those_of_the_runs_font(text, runs, shown):
    paragraph = struct.pack("<IHIH", 40, 0, 1 << 11, 1)
    assert decode_run_symbols(text, make_style_atom(runs, paragraph), FONTS) == shown


def test_a_damaged_style_leaves_the_text_of_an_old_slide_as_it_is():
    whole = make_style_atom([(2, state_font(1)), (2, PLAIN)], struct.pack("<IHIHI", 40, 0, 1 << 20, 1, 0))
    assert decode_run_symbols("mab", whole, FONTS) == "μαb"
    for size in range(len(whole) - 8):
        assert decode_run_symbols("mab", whole[:size], FONTS) in ("mab", "μαb")
