"""Signs of Symbol, Wingdings and the like are stored as the characters that they show."""

import unicodedata

import pytest

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
