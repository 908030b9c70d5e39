"""What the fonts of signs draw: "m" and U+F06D in Symbol are "μ", "à" in Wingdings is an arrow. Knows no file format.

Arrows, ticks, boxes and bullets of all shapes become the plain ones, which are found by search and shown by other fonts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# what stands for the characters from U+0020 on; \ufffd for those that draw nothing
_SYMBOL: Final = (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?"
    "≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_"
    "‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼�"
    "��������������������������������"
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵"
    "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓"
    "◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪�〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭"
)
_WINGDINGS: Final = (
    " 🖉✂✁👓🕭🕮🕯🕿✆🖂🖃📪📫📬📭🗀🗁🗎🗏🗐🗄⌛🖮🖰🖲🖳🖴🖫🖬✇✍"
    "🖎✌🖏👍👎☜☞☝☟🖐☺😐☹💣🕱🏳🏱✈☼🌢❄🕆✞🕈✠✡☪☯🕉☸♈♉"
    "♊♋♌♍♎♏♐♑♒♓🙰🙵●❍■□□❑❒◆◆◆❖◆☒⮹⌘🏵🏶🙶🙷▯"
    "🄋➀➁➂➃➄➅➆➇➈➉🄌➊➋➌➍➎➏➐➑➒➓🙢🙠🙡🙣🙞🙜🙝🙟∙•"
    "▪○○○◉◎○▪□🟁🟅★🟋🟏🟓🟑⯐⌖⯎⯏⯑✪✰🕐🕑🕒🕓🕔🕕🕖🕗🕘"
    "🕙🕚🕛⮰⮱⮲⮳⮴⮵⮶⮷🙪🙫🙕🙔🙗🙖🙐🙑🙒🙓⌫⌦⮘➢⮙⮛⮈⮊⮉⮋←"
    "→↑↓↖↗↙↘←→↑↓↖↗↙↘⇦⇨⇧⇩⬄⇳⬁⬀⬃⬂🢬🢭✗✓☒☑"
)
_WINGDINGS_2: Final = (
    " 🖊🖋🖌🖍✄✀🕾🕽🗅🗆🗇🗈🗉🗊🗋🗌🗍📋🗑🗔🖵🖶🖷🖸🖭🖯🖱🖒🖓🖘🖙"
    "🖚🖛👈👉🖜🖝🖞🖟🖠🖡👆👇🖢🖣🖑✗✓☒☑☒☒⮾⮿🛇⦸🙱🙴🙲🙳‽🙹🙺"
    "🙻🙦🙤🙥🙧🙚🙘🙙🙛⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿�"
    "☉🌕☽☾⸿✝🕇🕜🕝🕞🕟🕠🕡🕢🕣🕤🕥🕦🕧🙨🙩⋅•⦁●○○○○⊙⦿🞌"
    "▪◾■□□□□□▣🞕🞖🞗🞘◆◆◇🞚◈🞛🞜🞝🞞⬪◆◊🞠◖◗⯊⯋⯀⯁"
    "⬟⯂⬣⬢⯃⯄🞡🞢🞣🞤🞥🞦🞧🞨🞩🞪🞫🞬🞭🞮🞯🞰🞱🞲🞳🞴🞵🞶🞷🞸🞹🞺"
    "🞻🞼🞽🞾🞿🟀🟂🟄🟆🟉🟊✶🟌🟎🟐🟒✹🟃🟇✯🟍🟔⯌⯍※⁂"
)
_WINGDINGS_3: Final = (
    " ←→↑↓↖↗↙↘⭰⭲⭱⭳⭶⭸⭻⭽↔↕⭪⭬⭫⭭⭍⮠⮡⮢⮣⮤⮥⮦⮧"
    "⮐⮑⮒⮓⮀⮃⭾⭿⮄⮆⮅⮇⮏⮍⮎⮌⭮⭯⎋⌤⌃⌥␣⍽⇪⮸🢠🢡🢢🢣🢤🢥"
    "🢦🢧🢨🢩🢪🢫←→↑↓↖↗↙↘↔↕▲▼△▽◀▶◁▷◣◢◤◥🞀🞂🞁�"
    "🞃⯅⯆⯇⯈⮜⮞⮝⮟←→↑↓←→↑↓←→↑↓←→↑↓←→↑↓←→↑"
    "↓←→↑↓←→←→←→←🢜🢝🢞🢟→←→←→←→↑↓🢘🢚🢙🢛←→↑"
    "↓←→↑↓←→↑↓⮨⮩⮪⮫⮬⮭⮮⮯←→↑↓↖↗↙↘←→↑↓↖↗↙"
    "↘←→↑↓↖↗↙↘🢐🢒🢑🢓🢔🢖🢕🢗"
)
_WEBDINGS: Final = (
    " 🕷🕸🕲🕶🏆🎖🖇🗨🗩🗰🗱🌶🎗🙾🙼🗕🗖🗗⏴⏵⏶⏷⏪⏩⏮⏭⏸⏹⏺🗚🗳"
    "🛠🏗🏘🏙🏚🏜🏭🏛🏠🏖🏝🛣🔍🏔👁👂🏞🏕🛤🏟🛳🕬🕫🕨🔈🎔🎕🗬🙽🗭🗪🗫"
    "⮔✔🚲□🛡📦🛱■🚑🛈🛩🛰🟈🕴●🛥🚔🗘🗙❓🛲🚇🚍⛳⦸⊖🚭🗮⏐🗯🗲�"
    "🚹🚺🛉🛊🚼👽🏋⛷🏂🏌🏊🏄🏍🏎🚘🗠🛢💰🏷💳👪🗡🗢🗣✯🖄🖅🖃🖆🖹🖺🖻"
    "🕵🕰🖽🖾📋🗒🗓🕮📚🗞🗟🗃🗂🖼🎭🎜🎘🎙🎧💿🎞📷🎟🎬📽📹📾📻🎚🎛📺💻"
    "🖥🖦🖧🕹🎮🕻🕼📟🖁🖀🖨🖩🖿🖪🗜🔒🔓🗝📥📤🕳🌣🌤🌥🌦☁🌨🌧🌩🌪🌬🌫"
    "🌜🌡🛋🛏🍽🍸🛎🛍Ⓟ♿🛆🖈🎓🗤🗥🗦🗧🛪🐿🐦🐟🐕🐈🙬🙮🙭🙯🗺🌍🌏🌎🕊"
)
_ZAPF_DINGBATS: Final = (
    " ✁✂✃✄☎✆✇✈✉☛☞✌✍✎✏✐✑✒✓✔✕✖✗✘✙✚✛✜✝✞✟"
    "✠✡✢✣✤✥✦✧★✩✪✫✬✭✮✯✰✱✲✳✴✵✶✷✸✹✺✻✼✽✾✿"
    "❀❁❂❃❄❅❆❇❈❉❊❋●❍■❏❐❑❒▲▼◆❖◗❘❙❚❛❜❝❞�"
    "❨❩❪❫❬❭❮❯❰❱❲❳❴❵������������������"
    "�❡❢❣❤❥❦❧♣♦♥♠①②③④⑤⑥⑦⑧⑨⑩❶❷❸❹❺❻❼❽❾❿"
    "➀➁➂➃➄➅➆➇➈➉➊➋➌➍➎➏➐➑➒➓➔→↔↕➘➙➚➛➜➝➞➟"
    "➠➡➢➣➤➥➦➧➨➩➪➫➬➭➮➯�➱➲➳➴➵➶➷➸➹➺➻➼➽➾"
)
# LibreOffice's font in the place of all of these where they are not installed: letters are Symbol's, bullets, arrows, ticks and
# boxes those of Wingdings, where Symbol has suits of cards and pieces of brackets
_OPEN_SYMBOL: Final = "".join(
    _WINGDINGS[place] if place + 0x20 in (0xA7, 0xA8, 0xD8, 0xDF, 0xE0, 0xFB, 0xFC, 0xFD, 0xFE) else sign
    for place, sign in enumerate(_SYMBOL)
)

_TABLES: Final = {
    name: dict(enumerate(signs, start=0x20))
    for name, signs in {
        "symbol": _SYMBOL,
        "wingdings": _WINGDINGS,
        "wingdings2": _WINGDINGS_2,
        "wingdings3": _WINGDINGS_3,
        "webdings": _WEBDINGS,
        "zapfdingbats": _ZAPF_DINGBATS,
        "opensymbol": _OPEN_SYMBOL,
    }.items()
}
_NAME: Final = re.compile(  # as programs and PDFs write it: "Wingdings 2", "Symbol", "ABCDEF+SymbolMT,Bold", "ITC Zapf Dingbats"
    r"(?:[a-z]{6}\+)?(?:itc)?(symbol|wingdings[23]?|webdings|zapfdingbats|opensymbol)(?:std|ps)?(?:mt)?(?:regular|roman|bold|italic|medium)*"
)
_PRIVATE_START: Final = 0xF000  # where Windows puts the 256 characters of a symbol font


def is_symbol_font(font: str) -> bool:
    """Return whether a font's name, in any spelling, is that of a font of signs that is known here."""
    return _find_table(font) is not None


def decode_symbols(font: str, text: str, *, private_only: bool = False) -> str:
    """Return what a text shows in a font: the text itself unless `is_symbol_font`; what draws nothing is left out.

    A character is one of U+0020 to U+00FF, or the same at U+F020 to U+F0FF; others stay as they are, and so does a blank.
    `private_only` where only the latter are drawn in this font, which is so in OpenSymbol.
    """
    table = _find_table(font)
    if table is None:
        return text
    private_only = private_only or table is _TABLES["opensymbol"]
    return "".join(_decode_symbol(table, character, private_only=private_only) for character in text)


def _decode_symbol(table: dict[int, str], character: str, *, private_only: bool) -> str:
    code = ord(character)
    if 0x20 <= code - _PRIVATE_START <= 0xFF:
        code -= _PRIVATE_START
    elif private_only or not 0x20 <= code <= 0xFF or character.isspace():
        return character
    return table.get(code, "\ufffd").replace("\ufffd", "")


@lru_cache(maxsize=256)
def _find_table(font: str) -> dict[int, str] | None:
    match = _NAME.fullmatch(re.sub(r"[\s,_-]+", "", font.lower()))
    return _TABLES[match[1]] if match else None
