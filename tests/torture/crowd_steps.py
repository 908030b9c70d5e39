"""The steps of a crowd's worker, and how often each is drawn."""

from __future__ import annotations

from collections.abc import Callable

from tests.torture.crowd_collections import change_collections, use_shared
from tests.torture.crowd_worker import Worker

STEPS: dict[str, tuple[float, Callable[[Worker], None]]] = {
    "write": (60, Worker.write),
    "shared": (20, use_shared),
    "collections": (8, change_collections),
    "optimize": (4, Worker.tidy),
    "fork": (2, Worker.fork),
    "reopen": (4, Worker.reopen),
    "check": (1, Worker.examine),
    "backup": (1, Worker.back_up),
}
