"""Check what the Python API is given of profiles."""

from __future__ import annotations

from typing import Any

from vecsearch.api.arguments import is_number
from vecsearch.core.checks import is_unicode, shorten_repr
from vecsearch.core.errors import InputError, UsageError
from vecsearch.core.preferences import Profile
from vecsearch.core.settings import PROFILE_NAME_MAX


def parse_half_life(half_life: Any, profile: Any) -> float | None:
    """Return the days after which a preference of a profile counts half. Raises InputError, UsageError without a profile."""
    if profile is not None and not isinstance(profile, Profile):
        check_profile_name(profile)
    if half_life is None:
        return None
    if profile is None:
        raise UsageError("half_life is of a profile's preferences: give a profile too")
    if not (is_number(half_life) and half_life > 0):
        raise InputError(f"half_life must be a number of days above 0, got {shorten_repr(half_life)}")
    return float(half_life)


def check_profile_name(name: Any) -> str:
    """Return the name of a profile. Raises InputError."""
    if (
        not isinstance(name, str)
        or not name.strip()
        or not is_unicode(name)
        or len(name) > PROFILE_NAME_MAX
        or (name.splitlines() != [name])
    ):
        raise InputError(f"a profile's name is a line of 1 to {PROFILE_NAME_MAX:,} characters, got {shorten_repr(name)}")
    return name


def check_weight(weight: Any) -> float:
    """Return how much somebody likes a document, or not. Raises InputError."""
    if not (is_number(weight) and 0 < weight <= 1):
        raise InputError(f"weight must be a number above 0 and at most 1, got {shorten_repr(weight)}")
    return float(weight)
