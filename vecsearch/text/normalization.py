"""Text as a reader sees it: the same letters however they are encoded, and nothing that cannot be seen.

Made here alone, for texts and for queries. Characters without a shape (soft hyphens, joiners, marks of direction, variation
selectors) go, and so do the points of Hebrew and Arabic and what stretches an Arabic word; compatibility forms (full width, half
width, ligatures, presentation forms) become the letters they show, and the various hyphens and apostrophes one each. The case,
the accents and the vowel signs of other scripts stay: `fold` says what of them does not tell forms apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import regex

# Unicode's Default_Ignorable_Code_Point
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HEBREW_POINTS: Final = "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
_ARABIC_POINTS: Final = (
    "\u0610-\u061a\u0640\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0898-\u089f"
    "\u08ca-\u08e1\u08e3-\u08ff"  # u0640 is the stretch
)
_SYRIAC_POINTS: Final = "\u0730-\u074a"
_UNSEEN: Final = re.compile(f"[{_INVISIBLE}]+")
_POINTS: Final = re.compile(f"[{_HEBREW_POINTS}{_ARABIC_POINTS}{_SYRIAC_POINTS}]+")
_SYMBOLS: Final = re.compile("[™℠№℡℻℀℁℅℆]")  # they are no letters, though compatibility makes some of them
_FRACTIONS: Final = re.compile("([¼-¾⅐-⅟↉])")
_TYPOGRAPHY: Final = str.maketrans({
    **dict.fromkeys("‐‑‒–−֊־", "-"), **dict.fromkeys("’‘‛′´ʼʻ՚ꞌ", "'"), **dict.fromkeys("⁄∕", "/"),
    "ൺ": "ണ്", "ൻ": "ന്", "ർ": "ര്", "ൽ": "ല്", "ൾ": "ള്", "ൿ": "ക്", "ৎ": "ত্",  # letters that were written with a joiner once
})  # fmt: skip
_HAS_TYPOGRAPHY: Final = re.compile(f"[{''.join(map(chr, _TYPOGRAPHY))}]")
_SARA_AM: Final = re.compile("[\u0e48-\u0e4b\u0e4d]{2,}|[\u0ec8-\u0ecb\u0ecd]{2,}")  # Thai and Lao: a tone and a nasal vowel
# й, ї and ў are letters of their own, not и, і and у with an accent
_ACCENTS: Final = re.compile(
    "[\u0300-\u0305\u0307\u0309-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]|(?<![иу])\u0306|(?<!і)\u0308"
)
_SAME_LETTERS: Final = str.maketrans("ıیک", "iيك")  # I is the capital of both in Turkish; Persian and Arabic keyboards
_CLUSTER: Final = regex.compile(r"\X")


def normalize(text: str) -> str:
    """Return a text as a reader sees it; what is normalized stays as it is."""
    return text if text.isascii() else _unify(_UNSEEN.sub("", text))


def align(text: str) -> tuple[str, Sequence[int]]:
    """Return a text normalized, and for each of its characters, and for its end, where that stands in the text given."""
    if text.isascii():
        return text, range(len(text) + 1)
    normalized = normalize(text)
    if len(normalized) == len(text) and all(len(normalize(char)) == 1 for char in set(text)):  # one for one
        return normalized, range(len(text) + 1)
    kept = [at for at, char in enumerate(text) if not _UNSEEN.match(char)]
    visible = "".join(map(text.__getitem__, kept))
    unified = _unify(visible)
    kept.append(len(text))
    if unified == visible:
        return unified, kept
    starts: list[int] = []
    clusters = list(_CLUSTER.finditer(visible))
    for cluster in clusters:
        starts += [kept[cluster.start()]] * len(_unify(cluster[0]))
    if len(starts) != len(unified):  # characters met that belong to no cluster together: the whole text stands for each
        starts = [0] * len(unified)
    return unified, [*starts, len(text)]


def fold(text: str) -> str:
    """Return a form: without case and without the accents of Latin, Greek and Cyrillic letters."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart)).translate(_SAME_LETTERS)


def _unify(visible: str) -> str:
    """Return a text without invisible characters in one encoding."""
    text = unicodedata.normalize("NFKC", _FRACTIONS.sub(r" \1", _SYMBOLS.sub(" ", visible)))
    if _POINTS.search(text):
        text = unicodedata.normalize("NFC", _POINTS.sub("", text))
    text = _SARA_AM.sub(lambda match: "".join(sorted(match[0], key="\u0e4d\u0ecd".__contains__)), text)  # typed either way
    return text.translate(_TYPOGRAPHY) if _HAS_TYPOGRAPHY.search(text) else text
