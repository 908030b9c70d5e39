"""The commands for profiles: which documents somebody likes, and which not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from vecsearch.core.preferences import Preference, Profile
from vecsearch.core.types import format_count
from vecsearch.interfaces.cli.command_group import CommandGroup
from vecsearch.interfaces.cli.completion import complete_ids
from vecsearch.interfaces.cli.handles import resolve_handle
from vecsearch.interfaces.cli.last_hits import load_answer
from vecsearch.interfaces.cli.options import CliContext, add_common_options
from vecsearch.interfaces.cli.question_log import LoggedAct, log_choice
from vecsearch.interfaces.cli.questions import confirm, yes_option
from vecsearch.interfaces.rendering import output, terminal_safe

if TYPE_CHECKING:
    from vecsearch.api.collection import Collection

_weight_option = click.option(
    "--weight", type=click.FloatRange(min=0, min_open=True, max=1), metavar="X", default=1.0, show_default=True,
    help="How much: above 0, at most 1.",
)  # fmt: skip


@click.group(cls=CommandGroup, invoke_without_command=True)
@add_common_options
def profile(options: CliContext) -> None:
    """Save what somebody likes, for recommend --for and search --for."""
    if click.get_current_context().invoked_subcommand is None:
        _list_profiles(options)


@profile.command("list")
@add_common_options
def list_(options: CliContext) -> None:
    """List whose likes and dislikes are saved."""
    _list_profiles(options)


@profile.command()
@click.argument("user")
@click.argument("hits", nargs=-1, required=True, metavar="N|ID…", shell_complete=complete_ids)
@_weight_option
@add_common_options
def like(options: CliContext, user: str, hits: Sequence[str], weight: float) -> None:
    """Save that USER likes documents: by their ids, or the N-th hit of the last search in this shell."""
    with options.open_for_writing() as collection:
        ids = _find_documents(options, collection, hits)
        saved = collection.like(user, ids, weight=weight)
    for id in ids:
        log_choice(options.find_database(), options.name, id, LoggedAct.LIKED)
    _show_change(options, saved)


@profile.command()
@click.argument("user")
@click.argument("hits", nargs=-1, required=True, metavar="N|ID…", shell_complete=complete_ids)
@_weight_option
@add_common_options
def unlike(options: CliContext, user: str, hits: Sequence[str], weight: float) -> None:
    """Save that USER does not like documents: by their ids, or the N-th hit of the last search in this shell."""
    with options.open_for_writing() as collection:
        saved = collection.unlike(user, _find_documents(options, collection, hits), weight=weight)
    _show_change(options, saved)


@profile.command()
@click.argument("user")
@add_common_options
def show(options: CliContext, user: str) -> None:
    """Show all that is saved of USER, the newest first."""
    with options.open_for_reading() as collection:
        saved = collection.get_profile(user)
        stored = {preference.id for preference in saved.preferences if preference.id in collection}
    value = saved.to_dict()
    for entry in value["preferences"]:
        entry["there"] = entry["id"] in stored
    options.show(value, [_format_preference(preference, preference.id in stored) for preference in saved.preferences])


@profile.command()
@click.argument("user")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@add_common_options
def forget(options: CliContext, user: str, ids: Sequence[str]) -> None:
    """Delete what is saved of USER on documents."""
    with options.open_for_writing() as collection:
        count = collection.forget_preferences(user, ids)
    line = f"forgot what {user} says of {format_count(count, 'document')}"
    options.show({"profile": user, "forgotten": count}, [] if options.quiet else [terminal_safe.make_printable(line)])


@profile.command()
@click.argument("user")
@yes_option
@add_common_options
def delete(options: CliContext, user: str, yes: bool) -> None:
    """Delete all that is saved of USER.

    On a terminal it asks first.
    """
    with options.open_for_writing() as collection:
        saved = collection.get_profile(user)
        confirm(f"delete what {user!r} says of {format_count(len(saved.preferences), 'document')}?", yes=yes)
        collection.delete_profile(user)
    line = terminal_safe.make_printable(f"deleted the profile {user}")
    options.show({"deleted": user}, [] if options.quiet else [line])


@profile.command()
@click.argument("users", nargs=-1, metavar="[USER…]")
@add_common_options
def export(options: CliContext, users: Sequence[str]) -> None:
    """Print all that is saved of USER, or of all users, as JSON lines.

    A line is {"profile", "id", "weight", "at"}: the form that `vecsearch eval --profiles` reads.
    """
    with options.open_for_reading() as collection:
        names = users or [summary.name for summary in collection.list_profiles()]
        profiles = [collection.get_profile(name) for name in names]
    lines = [{"profile": saved.name, **preference._asdict()} for saved in profiles for preference in saved.preferences]
    options.show(lines, map(json.dumps, lines))


def _find_documents(options: CliContext, collection: Collection, typed: Sequence[str]) -> list[str]:
    """Return the ids of documents, of what a search printed of them, or of the hits of a number, where that is no id."""
    answer = load_answer(options.find_database()) if any(map(str.isdecimal, typed)) else None
    hits = answer.hits if answer is not None and answer.collection == options.name else ()
    ids = []
    for text in typed:
        if handle := resolve_handle(collection, text):
            ids.append(handle.id)
        elif text.isdecimal() and 0 < int(text) <= len(hits):
            ids.append(hits[int(text) - 1].id)
        else:
            ids.append(text)
    return ids


def _list_profiles(options: CliContext) -> None:
    with options.open_for_reading() as collection:
        listed = collection.list_profiles()
    lines = [
        terminal_safe.make_printable(
            f"{one.name}  ({one.likes:,} liked, {one.dislikes:,} not, {output.format_minute(one.changed_at)})"
        )
        for one in listed
    ]
    if not listed and not options.quiet:
        lines = ["no profile is saved yet: vecsearch profile like USER ID"]
    options.show({"profiles": [asdict(one) for one in listed]}, lines)


def _show_change(options: CliContext, saved: Profile) -> None:
    line = terminal_safe.make_printable(f"{saved.name}: {len(saved.likes):,} liked, {len(saved.dislikes):,} not")
    value = {"profile": saved.name, "likes": len(saved.likes), "dislikes": len(saved.dislikes)}
    options.show(value, [] if options.quiet else [line])


def _format_preference(preference: Preference, is_there: bool) -> str:
    sign, gone = "+" if preference.weight > 0 else "-", "" if is_there else "  (not there)"
    share = "" if abs(preference.weight) == 1 else f" {abs(preference.weight):g}"
    return terminal_safe.make_printable(f"{sign}{share} {preference.id}  {output.format_minute(preference.at)}{gone}")
