"""The options that filter: by metadata, and by what a document is and where it came from. Together they make one `where`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import click

from vecsearch.interfaces.cli.completion import FILE

_F = TypeVar("_F", bound=Callable[..., Any])
_MODIFIED: Final = re.compile(r"(>=|<=|>|<|=)?\s*(\S.*)", re.DOTALL)
_OPERATORS: Final = {">=": "$gte", "<=": "$lte", ">": "$gt", "<": "$lt"}
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}")
_NAMES: Final = ("where", "source", "glob", "type", "language", "modified")

where_option = click.option(
    "--where", multiple=True, metavar="EXPR",
    help="Only documents whose metadata match: key=value, key>=value … or JSON; repeat for AND.",
)  # fmt: skip
FILTER_OPTIONS: Final[Sequence[Callable[[Any], Any]]] = (
    where_option,
    click.option(
        "--source", type=FILE, multiple=True, metavar="PATH", help="Only documents of this file or folder; repeat for more."
    ),
    click.option("-g", "--glob", multiple=True, metavar="GLOB", help="Only files of this name or path; '!GLOB': not these."),
    click.option("-t", "--type", multiple=True, metavar="TYPE", help="Only files that end so: pdf, md; repeat for more."),
    click.option("--language", multiple=True, metavar="CODE", help="Only documents that state this language; repeat for more."),
    click.option("--modified", multiple=True, metavar="TIME", help="Only documents that state this time: 2024-05, '>=2024'."),
)


def add_filter_options(command: _F) -> _F:
    """Add the options that filter; `take_where` takes their values out of those of the command."""
    for option in reversed(FILTER_OPTIONS):
        command = option(command)
    return command


def take_where(values: dict[str, Any]) -> dict[str, Any] | None:
    """Take the values of the filter options out of those of a command, and return what they say together; None for nothing.

    Raises FilterError, or a usage error.
    """
    filters = {name: values.pop(name) for name in _NAMES}
    if "" in filters["source"]:  # an empty variable of a script would mean the folder that it runs in
        raise click.UsageError("--source is empty; for the current folder: --source .")
    conditions = [*_parse_where(filters["where"]), *_list_conditions(filters)]
    return None if not conditions else conditions[0] if len(conditions) == 1 else {"$and": conditions}


def take_selection(values: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """Take the filter options out, as (where, source): one --source alone is no filter, and must have given something."""
    given = {name for name in _NAMES if values[name]}
    sources = values["source"]
    where = take_where(values)
    return (None, sources[0]) if given == {"source"} and len(sources) == 1 else (where, None)


def _parse_where(expressions: Sequence[str]) -> list[dict[str, Any]]:
    if not expressions:
        return []
    from vecsearch.search.where_shell import parse_shell

    where = parse_shell(expressions)
    return [] if where is None else [dict(where)]


def _list_conditions(filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if filters["source"]:
        yield {"$source": {"$in": list(filters["source"])}}
    included = [glob for glob in filters["glob"] if not glob.startswith("!")]
    if included:
        yield {"$or": [{"$source": {"$regex": _translate_glob(glob)}} for glob in included]}
    for glob in filters["glob"]:
        if glob.startswith("!"):
            yield {"$source": {"$not_regex": _translate_glob(glob[1:])}}
    if filters["type"]:
        yield {"$type": {"$in": list(filters["type"])}}
    if filters["language"]:
        yield {"$language": {"$in": [_check_language(code) for code in filters["language"]]}}
    for modified in filters["modified"]:
        yield {"$modified": _parse_modified(modified)}


def _translate_glob(glob: str) -> str:
    """Return the expression for paths that a glob matches: by name, or, where it has a slash, from a folder or the root on."""
    from vecsearch.core.patterns import name_pattern
    from vecsearch.documents.gitignore_globs import translate_name_glob, translate_path_glob

    expression = translate_path_glob(glob) if "/" in glob else translate_name_glob(glob)
    if not glob or expression is None:
        raise click.UsageError(f"--glob {glob!r} is no pattern; expected one such as '*.pdf' or 'notes/**/*.md'")
    return name_pattern(rf"\A{expression}\Z" if glob.startswith("/") else rf"(?:\A|/){expression}\Z", glob)


def _check_language(code: str) -> str:
    if not _LANGUAGE.fullmatch(code):
        raise click.UsageError(f"--language takes the code of a language, such as en or de, got {code!r}")
    return code


def _parse_modified(text: str) -> dict[str, str]:
    """Return the operators of `>=2024-05`; a time alone means all of that year, month or day."""
    from vecsearch.core.json_values import parse_time

    match = _MODIFIED.fullmatch(text.strip())
    if match is None or parse_time(match[2]) is None:
        raise click.UsageError(f"--modified takes a time such as 2024, 2024-05 or '>=2024-05-01', got {text!r}")
    operator = _OPERATORS.get(match[1])
    return {operator: match[2]} if operator else {"$gte": match[2], "$lte": match[2]}
