"""WordNet as it lies on a disk: the senses of a word, each with its definition, its synonyms and examples.

A folder holds the files of WordNet itself (Miller, CACM 1995), as Debian's package wordnet-base does, or one table
`synsets.tsv.gz` of id, pos, lemmas, definition and examples. Nothing is loaded but what a word needs.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final
from unicodedata import normalize

from vecsearch.core.errors import UnavailableError
from vecsearch.core.lazy_property import lazy_property
from vecsearch.core.senses import Sense

DEBIAN_FOLDER: Final = Path("/usr/share/wordnet")
INSTALL_HINT: Final = "apt install wordnet-base, or --wordnet DIR"
_PARTS: Final = ("noun", "verb", "adj", "adv")  # the ends of file names
_TABLE: Final = "synsets.tsv.gz"
_ENDINGS: Final = {  # WordNet's own rules from a form to its lemma (morphy(7WN))
    "noun": (("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y")),
    "verb": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "adj": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "adv": (),
}  # fmt: skip
_DOUBLED: Final = re.compile(r"(?<=[aeiou])([bdgklmnprt])\1$")  # running, stopped: WordNet leaves these to its exceptions
_EXAMPLE: Final = re.compile(r'"([^"]*)"?')
_MARKER: Final = re.compile(r"\((?:a|p|ip)\)$")  # where an adjective stands


class WordNet:
    """The senses of words, the most frequent first, where the files say so."""

    def __init__(self, folder: Path) -> None:
        """Find the files in a folder. Raises UnavailableError."""
        self._folder = folder
        self._rows: dict[str, list[Sense]] = {}
        if not (folder / _TABLE).is_file() and not _has_own_files(folder):
            raise UnavailableError(
                f"there is no WordNet in {folder}: neither index.noun and data.noun, and so on, nor {_TABLE}; {INSTALL_HINT}"
            )

    def find(self, word: str) -> list[Sense]:
        """Return the senses of a word and of what it is a form of, by part of speech; none for a word that is not there.

        Raises UnavailableError where the files are damaged.
        """
        form, found = normalize("NFKC", word).strip().lower().replace(" ", "_"), dict[str, Sense]()
        try:
            for part in _PARTS:
                for lemma in self._list_lemmas(form, part):
                    found |= {sense.id: sense for sense in self._load_senses(lemma, part)}
        except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
            raise UnavailableError(
                f"the WordNet in {self._folder} cannot be read ({type(error).__name__}: {error}); {INSTALL_HINT}"
            ) from error
        return list(found.values())

    def iterate(self) -> Iterator[Sense]:
        """Yield every sense there is."""
        if self._table is not None:
            yield from map(_parse_row, self._table.decode().splitlines()[1:])
            return
        for part in _PARTS:
            with (self._folder / f"data.{part}").open(encoding="utf-8") as lines:
                yield from (_parse_line(line, part) for line in lines if not line.startswith(" "))

    def _list_lemmas(self, form: str, part: str) -> Iterator[str]:
        """Yield what a form may be one of, itself first."""
        yield form
        yield from self._exceptions.get((part, form), ())
        for ending, instead in _ENDINGS[part]:
            if form.endswith(ending) and len(form) > len(ending) + 1:
                stem = form.removesuffix(ending)
                yield stem + instead
                if part == "verb" and ending in ("ed", "ing") and not instead:
                    yield _DOUBLED.sub(r"\1", stem)

    def _load_senses(self, lemma: str, part: str) -> list[Sense]:
        if self._table is not None:
            return [sense for sense in self._find_rows(lemma.replace("_", " ")) if sense.part_of_speech == part]
        line = _find_line(self._indexes[part], lemma)
        if line is None:
            return []
        count = int(line[2])
        with (self._folder / f"data.{part}").open("rb") as data:
            return [_parse_line(_read_line_at(data, int(offset)), part) for offset in line[-count:]]

    @lazy_property
    def _indexes(self) -> Mapping[str, bytes]:
        return {part: (self._folder / f"index.{part}").read_bytes() for part in _PARTS}

    @lazy_property
    def _exceptions(self) -> Mapping[tuple[str, str], list[str]]:
        """Return the lemmas of irregular forms, by part of speech and form; nothing where the files are absent."""
        found: dict[tuple[str, str], list[str]] = {}
        for part in _PARTS:
            if (file := self._folder / f"{part}.exc").is_file():
                rows = map(str.split, file.read_text(encoding="utf-8").splitlines())
                found |= {(part, row[0]): row[1:] for row in rows if row}
        return found

    def _find_rows(self, lemma: str) -> list[Sense]:
        if lemma not in self._rows:
            assert self._table is not None
            pattern = re.escape(lemma.encode()) + rb"(?=; |\t)"
            starts = {self._table.rfind(b"\n", 0, match.start()) + 1 for match in re.finditer(pattern, self._lower_table)}
            rows = [_parse_row(self._table[start : self._table.index(b"\n", start)].decode()) for start in sorted(starts)]
            self._rows[lemma] = [sense for sense in rows if lemma in map(str.lower, sense.words)]
        return self._rows[lemma]

    @lazy_property
    def _lower_table(self) -> bytes:
        return (self._table or b"").lower()  # of ASCII letters alone, so that places are the same

    @lazy_property
    def _table(self) -> bytes | None:
        table = self._folder / _TABLE
        return gzip.decompress(table.read_bytes()) if table.is_file() else None


def find_wordnet() -> WordNet | None:
    """Return Debian's WordNet; None where there is none."""
    return WordNet(DEBIAN_FOLDER) if _has_own_files(DEBIAN_FOLDER) else None


def _has_own_files(folder: Path) -> bool:
    return all((folder / f"{kind}.{part}").is_file() for kind in ("index", "data") for part in _PARTS)


def _find_line(index: bytes, lemma: str) -> list[str] | None:
    start = index.find(f"\n{lemma} ".encode())
    return None if start < 0 else index[start + 1 : index.index(b"\n", start + 1)].decode().split()


def _read_line_at(data: BinaryIO, offset: int) -> str:
    data.seek(offset)
    return str(data.readline().decode())


def _parse_line(line: str, part: str) -> Sense:
    """Parse a line of a data file, see wndb(5WN): offset, file, type, number of words in base 16, words …, | gloss."""
    fields, _, gloss = line.partition(" | ")
    values = fields.split()
    words = [_MARKER.sub("", word).replace("_", " ") for word in values[4 : 4 + 2 * int(values[3], 16) : 2]]
    definition, _, _ = gloss.partition('; "')
    examples = tuple(filter(None, (example.strip() for example in _EXAMPLE.findall(gloss[len(definition) :]))))
    return Sense(f"{values[0]}-{values[2]}", part, tuple(words), definition.strip(), examples)


def _parse_row(line: str) -> Sense:
    id, part, words, definition, examples = line.split("\t")
    return Sense(id, part, tuple(words.split("; ")), definition, tuple(filter(None, examples.split(" | "))))
