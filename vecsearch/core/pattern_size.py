"""How large a regular expression is once compiled: the package `regex` writes out what is repeated, as often as it must be there.

Neither the time nor the memory of that can be bounded, and 40 characters are enough to take all of a machine's. So patterns are
read here first. Where it is not clear what a character stands for, as in sets inside of sets, the largest size is assumed.
"""

from __future__ import annotations

import math
import re
from typing import Final

_TOKEN: Final = re.compile(
    r"(?P<escape>\\.)|(?P<comment>\(\?#[\w%:/.~-]*\))|(?P<call>\(\?(?:R|\d|[+-]\s*[\d#]|&|P\s*[>#]))"
    r"|(?P<unclear>\(\?#|\(\?[a-zA-Z0-9]*x)|(?P<set>\[(?!\^?\])\^?(?:\\.|[^]\\[])+\])"
    r"|(?P<unclear_set>\[)|(?P<open>\()|(?P<close>\))|\{(?P<count>\d+)|(?P<other>.)",
    re.DOTALL,
)


def has_call(pattern: str) -> bool:
    """Return whether a pattern may call itself or one of its groups, as by (?R) or (?1): so it can go on without end."""
    return any(match.lastgroup == "call" for match in _TOKEN.finditer(pattern))


def measure_pattern(pattern: str) -> float:
    """Return how many steps a pattern has at most with its repeats written out; infinity where that cannot be told."""
    tokens = list(_TOKEN.finditer(pattern))
    if any(token.lastgroup in ("unclear", "unclear_set") for token in tokens):
        return len(pattern) * math.prod(map(_read_count, re.findall(r"\{([^,}]*)", pattern)))
    sizes, last = [0.0], 0.0  # of the groups that are open, from the outermost on, and of the part that comes before
    for token in tokens:
        match token.lastgroup:
            case "open" | "call":
                sizes.append(0.0)
                last = 0.0
            case "close":
                last = sizes.pop() + 1
                sizes = sizes or [0.0]
                sizes[-1] += last
            case "comment":
                pass
            case "count":
                repeated = last * _read_count(token["count"])
                sizes[-1] += repeated - last
                last = repeated
            case _:
                last = 1.0
                sizes[-1] += last
    return sum(sizes)


def _read_count(text: str) -> float:
    """Return how often something must be there by what stands after a brace; 1 where that is no number, and so no repeat."""
    text = text.strip()
    if text[:1].isalpha() or not any(map(str.isdigit, text)):
        return 1
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 10 else math.inf
