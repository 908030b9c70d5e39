"""Signs of Symbol, Wingdings and the like are stored as the characters that they show."""

import unicodedata

import pytest

from tests.documents.test_office import W, load_document, make_docx, make_pptx
from vecsearch.documents.loaders.symbol_fonts import decode_symbols, is_symbol_font

FONTS = ("Symbol", "Wingdings", "Wingdings 2", "Wingdings 3", "Webdings", "ITC Zapf Dingbats")


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
        ("Symbol", "a – b\n漢", "α – β\n漢"),
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


@pytest.mark.parametrize(
    "name", ["Segoe UI Symbol", "Symbola", "Apple Symbols", "Noto Sans Symbols", "OpenSymbol", "Wingdings 4", "Arial"]
)
def test_fonts_of_unicode_are_no_fonts_of_signs(name):
    assert not is_symbol_font(name)


@pytest.mark.parametrize("font", FONTS)
def test_every_sign_is_one_printable_character_and_the_same_in_the_private_range(font):
    for code in range(0x20, 0x100):
        sign = decode_symbols(font, chr(code))
        assert sign == decode_symbols(font, chr(0xF000 + code)) == decode_symbols(font, chr(0xF000 + code), private_only=True)
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
