"""Readers of scans, pictures and speech, which a machine may not have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vecsearch.core.errors import UnavailableError


def skip_if_unavailable(get_reader: Callable[[], object]) -> None:
    """Skip a test where a reader, or its data, are not installed."""
    try:
        get_reader()
    except UnavailableError as error:
        pytest.skip(str(error))
