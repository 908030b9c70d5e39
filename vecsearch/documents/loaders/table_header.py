"""Whether the first row of a table names its columns, and whether its first column names its rows, told by the cells alone.

A row names columns when something about it tells it from the rows below: they hold numbers, dates or addresses where it has
words, it is written in small letters or capitals and they are not, it is short and they are sentences, or it holds what columns
are usually called. A table in which all rows are alike has no header.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

_VALUES: Final = {  # kinds of values that are no words
    "year": re.compile(r"(?:1[5-9]|20)\d\d$"),
    "number": re.compile(
        r"(?:[A-Z]{3} )?[-+−(~<>$€£¥₹ ]{0,4}\d[\d.,' ]*(?:[eE][-+]?\d+)?[ )%‰°$€£¥₹]{0,3}(?!st|nd|rd|th)[^\W\d_]{0,3}$"
    ),
    "date": re.compile(
        r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\b|\d{1,2}:\d\d\b|\d{1,2}\.? \w{3,9}\.? \d{4}$|\w{3,9}\.? \d{1,2}, \d{4}$"
    ),
    "address": re.compile(r"[^\s@]+@[^\s@]+\.\w+$|[a-z][a-z0-9+.-]*://\S+$|www\.\S+$"),
    "code": re.compile(r"(?=\D*\d)[\w.#/+-]+$"),  # one word with a digit in it
    "truth": re.compile(r"(?:true|false|yes|no|ja|nein|oui|non)$", re.IGNORECASE),
}
_VALUE_MAX: Final = 200  # characters of such a value
_MISSING: Final = re.compile(r"[-–—?*.]+$|(?:n/?a|nan|null|none|unknown|tbd)$", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"\S+(?:\s+\S+){3,}[.!?…]['\"»”)]?$|\S+(?:\s+\S+){7}")
_SENTENCE_MAX: Final = 400  # characters that tell
_WORDS: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LABEL_END: Final = (":", "：")
_MOST: Final = 0.6  # the share of a column's values that makes its kind
_LABEL_WORDS_MAX: Final = 5  # words in what names a row or a column that stands above sentences

# what columns and fields are usually called: the whole name, or the last word of one of several
_USUAL_NAMES: Final = frozenset(
    "id key name names title type kind category class group status state date time day month year age sex gender born birthday "
    "city town country county region place location address street zip postcode email mail e-mail phone telephone tel fax "
    "mobile website url link price cost amount total sum quantity qty count number no nr size weight height width length "
    "value unit units rate score rank description note notes comment comments remark remarks remarks text content message "
    "question answer author owner company organisation organization department role position occupation job salary item "
    "product code sku language currency version file path source field property attribute parameter "
    "vorname nachname ort stadt land straße strasse plz adresse telefon datum uhrzeit jahr alter preis betrag menge anzahl "
    "nummer größe gewicht höhe breite länge wert einheit beschreibung bezeichnung bemerkung bemerkungen frage antwort autor "
    "firma abteilung beruf artikel produkt sprache quelle geburtsdatum geschlecht "
    "nom prénom ville pays rue adresse téléphone date heure année âge prix montant quantité nombre numéro taille poids valeur "
    "unité remarque auteur société produit langue "
    "nombre apellido apellidos ciudad país calle dirección teléfono fecha hora año edad precio importe cantidad número tamaño "
    "peso valor unidad descripción nota autor empresa producto idioma "
    "nome cognome città paese via indirizzo telefono ora anno età prezzo importo quantità numero dimensione valore unità "
    "descrizione autore azienda prodotto lingua "
    "naam plaats stad straat adres telefoon datum tijd jaar leeftijd prijs bedrag aantal waarde omschrijving "
    "имя фамилия город страна адрес телефон дата время год возраст цена сумма количество номер описание "
    "名前 氏名 住所 電話 日付 年齢 価格 数量 番号 姓名 地址 电话 日期 年龄 价格 数量 编号".split()
)


def is_header(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether a row names the columns of the rows below it, of which the first few are enough."""
    if not can_name_columns(row) or not below or is_key_value([row, *below]):
        return False
    columns = [_Column(name, cells) for name, *cells in zip_longest(row, *below, fillvalue="")][: len(row)]
    has_corner = not row[0] and sum(map(bool, row)) > 1 and all(cells and cells[0] for cells in below)
    has_years = (
        sum(
            classify_value(column.name) == "year" and column.is_mostly(lambda cell: classify_value(cell) == "number")
            for column in columns
        )
        > 1
    )
    return (
        has_corner
        or has_years
        or any(map(_is_named, columns))
        or any(_is_set_apart(columns, is_in_case) for is_in_case in (str.islower, str.isupper))
    )


def can_name_columns(row: Sequence[str]) -> bool:
    """Return whether a row holds nothing that is clearly a value: more than one cell, words, of numbers only years."""
    kinds = [classify_value(cell) for cell in row if cell]
    return (
        any(row[1:])
        and not {"number", "date", "address"}.intersection(kinds)
        and set(kinds) != {"year"}
        and not row[0].endswith(_LABEL_END)
    )


def is_key_value(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether two columns are keys and their values: the keys are called as fields usually are, or every value is of
    another kind."""
    pairs = [(row[0], row[1]) for row in rows if len(row) > 1 and row[0] and row[1] and not any(row[2:])]
    keys = [key for key, _ in pairs]
    if len(pairs) < 2 or len(pairs) < sum(map(any, rows)) or len(set(keys)) < len(keys) or not all(map(_is_label, keys)):
        return False
    if _is_usual_name(pairs[0][1]) and not any(_is_usual_name(value) for _, value in pairs[1:]):
        return False  # "Name, Value" above them is a header
    values = [value for _, value in pairs if not _MISSING.match(value)]
    # all, and those below the first: else it is the name of a column of one kind
    is_varied = len(values) > 2 and _is_varied(values) and _is_varied(values[values[:1] == [pairs[0][1]] :])
    return is_varied or 2 * sum(map(_is_usual_name, keys[1:])) >= len(keys)


def has_row_names(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first column names the rows: as keys of their values, or by labels that end in colons."""
    labels = [row[0] for row in rows if row and row[0]]
    return (len(labels) > 1 and all(label.endswith(_LABEL_END) for label in labels)) or is_key_value(rows)


def classify_value(cell: str) -> str:
    """Return the kind of a value that is not empty: year, number, date, address, code or truth, else words."""
    if len(cell) > _VALUE_MAX:
        return "words"
    return next((kind for kind, pattern in _VALUES.items() if pattern.match(cell)), "words")


@dataclass(frozen=True, slots=True)
class _Column:
    """What may be the name of a column, and the cells below it."""

    name: str
    cells: Sequence[str]

    def is_mostly(self, test: Callable[[str], object]) -> bool:
        """Return whether most of its values, those that are missing not counted, are of a kind."""
        values = [cell for cell in self.cells if cell and not _MISSING.match(cell)]
        return bool(values) and sum(bool(test(value)) for value in values) >= _MOST * len(values)


def _is_named(column: _Column) -> bool:
    """Return whether a name is of another kind than the values below it."""
    name = column.name
    kind = classify_value(name)
    if not name or _MISSING.match(name) or kind not in ("words", "code"):
        return False
    if column.is_mostly(lambda cell: classify_value(cell) not in ("words", kind)):
        return True
    if _is_usual_name(name) and name not in column.cells and not column.is_mostly(_is_usual_name):
        return True
    return len(name.split()) <= _LABEL_WORDS_MAX and column.is_mostly(_is_sentence)


def _is_set_apart(columns: Sequence[_Column], is_in_case: Callable[[str], bool]) -> bool:
    """Return whether all names are written in small letters, or all in capitals, and the values of some column never are."""
    names = [column.name for column in columns if column.name]
    return all(len(name) > 1 and is_in_case(name) for name in names) and any(
        column.name and column.is_mostly(str.strip) and not any(is_in_case(cell) for cell in column.cells) for column in columns
    )


def _is_varied(values: Sequence[str]) -> bool:
    """Return whether no kind makes up most of the values."""
    return Counter(map(classify_value, values)).most_common(1)[0][1] < _MOST * len(values)


def _is_usual_name(name: str) -> bool:
    words = _WORDS.findall(_CAMEL.sub(" ", name).casefold())
    return 0 < len(words) <= _LABEL_WORDS_MAX and words[-1] in _USUAL_NAMES and len(name) <= _VALUE_MAX


def _is_sentence(text: str) -> bool:
    return bool(_SENTENCE.match(text[:_SENTENCE_MAX]))


def _is_label(key: str) -> bool:
    return len(key.split()) <= _LABEL_WORDS_MAX and classify_value(key) == "words"
