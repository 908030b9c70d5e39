"""The commands about the whole database: status, models, doctor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from vecsearch.core.errors import CollectionNotFoundError, DatabaseCorruptedError, NotADatabaseError
from vecsearch.core.types import Check, Finding, Severity
from vecsearch.interfaces.cli.options import CliContext, add_common_options
from vecsearch.interfaces.rendering import database_state


@click.command()
@add_common_options
def status(options: CliContext) -> None:
    """Show what the database holds: counts, keys, model, index and sizes."""
    show_status(options)


def show_status(options: CliContext) -> None:
    """Print what the database holds, or the collection that the user named."""
    with options.connect() as database:
        found = database.status(options.collection)
    options.show(found, database_state.format_status(found))


@click.command()
@add_common_options
def models(options: CliContext) -> None:
    """List models with their languages and sizes, and the collections that use them."""
    from vecsearch.api.database import describe_model
    from vecsearch.encoders.known_models import KNOWN_MODELS

    try:
        with options.connect() as database:
            models = database.models()
    except NotADatabaseError:
        models = [describe_model(name, []) for name in KNOWN_MODELS]
    options.show({"models": models}, database_state.format_models(models))


@click.command()
@click.option("--fix", is_flag=True, help="Repair what can be derived from texts and vectors, after a backup in the folder.")
@add_common_options
def doctor(options: CliContext, fix: bool) -> int:
    """Check the database for damage.

    It prints a line for each thing that it looks at: ok, note or error.
    """
    from vecsearch.api.database import report_damage

    findings: Sequence[Finding]
    checks: tuple[Check, ...] = ()
    more: dict[str, Any] = {"repaired": [], "backup": None} if fix else {}
    repairs: list[str] = []
    try:
        with options.connect(writable=fix) as database:
            if options.collection is not None and options.collection not in (names := database.collections()):
                raise CollectionNotFoundError(options.collection, names)
            if fix:
                done = database.repair()
                more = {"repaired": list(done.repaired), "backup": None if done.backup is None else str(done.backup)}
                repairs = list(database_state.format_repairs(done.repaired, done.backup))
                findings = done.findings
            else:
                findings = report = database.check()
                checks = report.checks
    except DatabaseCorruptedError as error:
        findings = report = report_damage(error)
        checks = report.checks
    ok = all(finding.severity is not Severity.ERROR for finding in findings)
    if not fix:
        more = {"checks": [database_state.build_check_json(check) for check in checks]}
    lines = database_state.format_checks(checks) if checks else database_state.format_findings(findings)
    shown = [*repairs, *lines, database_state.format_verdict(findings)]
    options.show({"ok": ok, "findings": [asdict(finding) for finding in findings], **more}, shown)
    return 0 if ok else 1
