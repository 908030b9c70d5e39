"""What a document says must not steer the terminal, nor break the stream it is written to."""

from __future__ import annotations

import re
from typing import Final

_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def make_encodable(text: str) -> str:
    """Replace half surrogate pairs, as in damaged file names, by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def make_printable(text: str) -> str:
    """Replace control characters by U+FFFD."""
    return make_encodable(_UNSAFE.sub("\ufffd", text))
