"""What `make demo` prints, for the page that shows it."""

from __future__ import annotations

import os
import re
import shutil
from typing import Final

from docs.make.sessions import PROJECT, Session, parse_steps

FENCE: Final = '```console title="make demo"\n'


def list_demo_commands() -> list[str]:
    """List what the Makefile's target asks, as it is typed after `vecsearch`."""
    lines = (PROJECT / "Makefile").read_text(encoding="utf-8").partition("\ndemo:")[2].partition("\n\n")[0].splitlines()
    return [line.strip().removeprefix("ask ").rstrip("\\; ") for line in lines if line.strip().startswith("ask ")]


def refresh_demo(page: str, session: Session) -> str:
    """Return the page with what the demo prints now."""
    before, fence, rest = page.partition(FENCE)
    if not fence:
        return page
    shutil.copytree(PROJECT / "sample_data", session.home / "sample_data")
    os.environ["VECSEARCH_DB"] = ".demo"
    outputs = ((command, session.run_line(f"vecsearch {command}")[1]) for command in list_demo_commands())
    return (
        before
        + fence
        + "\n\n".join(f"$ vecsearch {command}\n{output}" for command, output in outputs)
        + rest[rest.index("\n```") :]
    )


def list_shown_steps() -> list[tuple[str, str]]:
    """List the demo's commands as the page shows them, each with its output."""
    page = (PROJECT / "docs/getting-started.md").read_text(encoding="utf-8")
    session = page.partition(FENCE)[2].partition("\n```")[0]
    return [(re.sub("^vecsearch ", "", step.command), step.shown) for step in parse_steps(session + "\n")]
