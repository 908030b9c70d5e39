"""The page of all public names, made of their signatures and docstrings."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

import vecsearch

_HEAD: Final = """\
# Python reference

Made by `python -m docs.make` from signatures and docstrings. `import vecsearch` loads nothing heavy;
`help(vecsearch.Collection)` says the same.

`AnyMode`, `AnySplit` and the like take a member of that choice or its name: `Mode.DENSE` or `"dense"`. `AnyPath` is a `str` or
a path, `Where` a [filter](filters.md), `Threshold` a similarity or `"auto"`, `WindowSize` a number of chunks or `"document"`,
`JSON` what `json.loads` gives.

"""
_SECTIONS: Final = (
    "Functions",
    "Databases and collections",
    "Answers, reports and values",
    "Choices",
    "Errors and warnings",
    "Protocols",
)
_ENTRANCES: Final = ("Collection", "AsyncCollection", "Database")
_WIDTH: Final = 100


def make_python_reference() -> str:
    """Write the page: each public name under its kind, each class with its methods."""
    parts = [_HEAD.rstrip()]
    for section in _SECTIONS:
        names = [name for name in list_names() if _classify(getattr(vecsearch, name)) == section]
        parts += [f"\n## {section}"] if names else []
        parts += [_describe(name, getattr(vecsearch, name)) for name in names]
    return "\n".join(parts) + "\n"


def list_names() -> list[str]:
    """List what `vecsearch` offers: `__all__`, and `open`, which hides a built-in and is left out of it."""
    names = {*vecsearch.__all__, "open"}
    return sorted(name for name in names if not name.startswith("_"))


def _classify(member: Any) -> str:
    if not inspect.isclass(member):
        return "Functions"
    if member.__name__ in _ENTRANCES:
        return "Databases and collections"
    if issubclass(member, BaseException):
        return "Errors and warnings"
    if issubclass(member, enum.Enum):
        return "Choices"
    return "Protocols" if getattr(member, "_is_protocol", False) else "Answers, reports and values"


def _describe(name: str, member: Any) -> str:
    if not inspect.isclass(member):
        return f"\n### `vecsearch.{name}`\n\n{_format_signature(name, member)}\n\n{_read_docstring(member)}"
    parts = [f"\n### `{name}`\n\n{_read_docstring(member)}"]
    if issubclass(member, enum.Enum):
        parts.append("\nValues: " + ", ".join(f"`{value.value}`" for value in member))
    elif issubclass(member, BaseException):
        parts.append(f"\nIs a `{member.__mro__[1].__name__}`.")
    elif types := _list_field_types(member):
        rows = (f"| `{field}` | `{_format_type(kind)}` |" for field, kind in types.items() if not field.startswith("_"))
        parts.append("\n".join(["\n| field | type |", "| --- | --- |", *rows]))
    parts += [f"\n#### `{name}.{key}`\n\n{text}" for key, text in _describe_members(member)]
    return "\n".join(parts)


def _list_field_types(member: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass or a named tuple, by name; of any other class none."""
    if is_dataclass(member):
        return {field.name: field.type for field in fields(member)}
    return {name: member.__annotations__[name].__forward_arg__ for name in getattr(member, "_fields", ())}


def _describe_members(owner: type) -> Iterator[tuple[str, str]]:
    for base in owner.__mro__:
        if not base.__module__.startswith("vecsearch"):
            continue
        for key, member in vars(base).items():
            if key.startswith("_") or getattr(owner, key, None) is not getattr(base, key, None):
                continue
            if isinstance(member, property):
                yield key, f"{_read_docstring(member)} *(property)*"
            elif inspect.isfunction(inspect.unwrap(getattr(member, "__func__", member))):
                function = getattr(member, "__func__", member)
                if function.__doc__:
                    yield f"{key}", f"{_format_signature(key, function)}\n\n{_read_docstring(function)}"


def _format_signature(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    words, starred = [], False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            words.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        words.append(_format_parameter(parameter))
    answer = "" if signature.return_annotation is signature.empty else f" -> {signature.return_annotation}".replace("'", "")
    prefix = "async " if inspect.iscoroutinefunction(function) else ""
    line = f"{prefix}{name}({', '.join(words)}){answer}"
    if len(line) > _WIDTH:
        line = "\n".join([f"{prefix}{name}(", *(f"    {word}," for word in words), f"){answer}"])
    return f"```py\n{line}\n```"


def _format_parameter(parameter: inspect.Parameter) -> str:
    """Write a parameter; a default that is an object of the package's own is only hinted at."""
    plain = str(parameter.replace(default=parameter.empty)).replace("'", "")
    match parameter.default:
        case parameter.empty:
            return plain
        case enum.Enum(value=value):
            default = repr(value)
        case None | bool() | int() | float() | str() | tuple():
            default = repr(parameter.default)
        case _:
            default = "…"
    return f"{plain} = {default}"


def _format_type(annotation: Any) -> str:
    return str(annotation if isinstance(annotation, str) else getattr(annotation, "__name__", annotation)).replace("|", "\\|")


def _read_docstring(member: Any) -> str:
    return inspect.getdoc(member) or ""
