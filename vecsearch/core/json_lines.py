"""A line of JSON, as it comes from anywhere."""

from __future__ import annotations

import json
from typing import Any

from vecsearch.core.errors import InputError
from vecsearch.core.nesting import NestingError, load_json


def parse_json_line(line: str | bytes) -> Any:
    """Return the value of a line. Raises InputError with the place where it is broken."""
    try:
        return load_json(line.decode("utf-8-sig") if isinstance(line, bytes) else line, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InputError(f"broken UTF-8 at byte {error.start:,} of the line") from error
    except json.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error.msg} at character {error.pos + 1:,}") from error
    except NestingError as error:
        raise InputError(str(error)) from error
    except ValueError as error:  # NaN, or an integer of thousands of digits, which Python refuses
        raise InputError(f"not valid JSON: {str(error).partition(';')[0]}") from error


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")
