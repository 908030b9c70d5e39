"""Texts of many kinds and lengths, on which a prepared model is held against the reference before its first use."""

from __future__ import annotations

from typing import Final

_SENTENCES: Final = (
    "jump",
    "to leap over a fence",
    "A place that lends money against a deposit.",
    "The bank of the river was flooded after three days of rain.",
    "How do I reset the PIN of my card?",
    "My transfer has been pending since Monday; when will it arrive?",
    "def add(a, b): return a + b",
    "std::vector<int> values; values.push_back(42);",
    "Error: connection refused (errno 111) at 10.0.0.7:5432, retrying in 5 s",
    "Version 1.0.21 fixes a buffer overflow in the TLS handshake.",
    "Reduced expression of the receptor was associated with a poorer response to treatment in 214 patients.",
    "The lift coefficient of a slender wing at supersonic speed was measured in a wind tunnel.",
    "Shall I compare thee to a summer's day? Thou art more lovely and more temperate.",
    "Mix the flour with butter and sugar, let the dough rest for an hour, then bake it at 180 °C.",
    "Die Katze liegt auf dem warmen Ofen und schläft.",
    "Le conseil municipal a voté le budget à l'unanimité.",
    "東京は日本の首都です。",
    "The committee will meet on 14 March 2025 to decide about the new bridge.",
    "Revenue rose by 12.4 % to $3.1 billion, driven by cloud services.",
    "She closed the book, looked out of the window and thought of the sea.",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "The defendant appealed against the judgment of the lower court.",
    "A violin concerto in D major, first performed in Vienna in 1806.",
    "git rebase --interactive HEAD~3",
)  # fmt: skip

REFERENCE_TEXTS: Final[tuple[str, ...]] = (
    *_SENTENCES,
    *(" ".join(_SENTENCES[first : first + 4]) for first in range(0, len(_SENTENCES), 4)),
    *(" ".join(_SENTENCES[first : first + 12]) for first in range(0, len(_SENTENCES), 12)),
)
