"""The shell's `--where` → the mapping that Python takes: a JSON object, or `key=value`, `key>=value` and so on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import FilterError
from vecsearch.core.nesting import load_json
from vecsearch.core.types import JSON, Where

_OPERATOR: Final = r"(?P<op>>=|<=|!=|=|>|<)(?P<value>.*)"
_PLAIN_KEY: Final = re.compile(rf"(?P<key>[^=<>!]+){_OPERATOR}", re.DOTALL)
_QUOTED_KEY: Final = re.compile(rf'(?P<key>"[^"\\]*+(?:\\.[^"\\]*+)*+")\s*{_OPERATOR}', re.DOTALL)  # as JSON writes it
_OPERATORS: Final = {"=": "$eq", "!=": "$ne", ">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_ORDERS: Final = ("$gt", "$gte", "$lt", "$lte")
_TEXT_OPERATORS: Final = {"=": "$contains", "!=": "$not_contains"}  # of $text, which is never asked for as a whole
_TEXT: Final = "$text"
_YEAR: Final = re.compile(r"\d{4}", re.ASCII)
ISO_TIME_PATTERN: Final = r"\A\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01])(?:[T ]\d\d:.*)?)?)?\Z"


def parse_shell(expressions: Sequence[str]) -> Where | None:
    """Return one mapping of repeated --where options (AND): each a JSON object, or `key=value`, `key>=value` …

    A key in double quotes is a JSON string, so that it may hold anything. A value is what JSON makes of it, else text; of a
    reserved key it is text. Less and more than four digits compares numbers, and the years of times in ISO 8601.
    """
    wheres = [_parse_expression(expression) for expression in expressions]
    return None if not wheres else wheres[0] if len(wheres) == 1 else {"$and": wheres}


def _parse_expression(expression: str) -> dict[str, Any]:
    text = expression.strip()
    if text.startswith("{"):
        try:
            parsed: dict[str, Any] = _parse_json(text)
        except ValueError as error:
            raise FilterError(f"--where {shorten_repr(expression)} is not valid JSON: {error}") from error
        return parsed
    match = _QUOTED_KEY.fullmatch(text) or _PLAIN_KEY.fullmatch(text)
    if match is None:
        raise FilterError(
            f"--where {shorten_repr(expression)}: expected key=value, key!=value, key>=value … or a JSON object; a key that has "
            "one of = < > ! stands in double quotes: '\"a=b\"=1'"
        )
    key = _parse_key(match["key"]) if match.re is _QUOTED_KEY else match["key"].strip()
    operators = {**_OPERATORS, **_TEXT_OPERATORS} if key == _TEXT else _OPERATORS
    is_reserved, operator, value = (
        key.startswith("$") and not key.startswith("$$"),
        operators[match["op"]],
        match["value"].strip(),
    )
    condition = {key: {operator: _parse_value(value, is_text=is_reserved)}}
    if is_reserved or operator not in _ORDERS or not _YEAR.fullmatch(value):
        return condition
    return {"$or": [condition, {key: {operator: value, "$regex": ISO_TIME_PATTERN}}]}  # a number, or the year of a time


def _parse_key(quoted: str) -> str:
    try:
        return str(json.loads(quoted, strict=False))
    except ValueError as error:
        raise FilterError(f"--where: the key {shorten_repr(quoted)} is no JSON string: {error}") from error


def _parse_value(text: str, *, is_text: bool) -> JSON:
    try:
        value = _parse_json(text)
    except ValueError:
        return text
    return value if isinstance(value, str) or not is_text else text


def _parse_json(text: str) -> Any:
    """Parse JSON. Raises ValueError, for NaN and Infinity too."""
    return load_json(text, parse_constant=_refuse_constant)


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")
