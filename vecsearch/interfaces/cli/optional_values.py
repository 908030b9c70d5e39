"""Options whose value may be left out: `--mmr`, `--mmr=0.3`. They never take a word of the question for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click


class OptionalValue(click.Option):
    """An option that takes a value after `=`, or the next word where that cannot be meant otherwise; else `flag_value`."""

    def __init__(self, names: Sequence[str], *, reads_as_value: Callable[[str], bool], **options: Any) -> None:
        """Set up an option; `reads_as_value` says of the next word whether it is the value."""
        super().__init__(names, is_flag=False, **options)
        self.reads_as_value = reads_as_value


class OptionalValueCommand(click.Command):
    """A command with such options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what was typed, each optional value joined to its option: click would take whatever word comes next."""
        return super().parse_args(ctx, list(self._join_values(args)))

    def _join_values(self, typed: Sequence[str]) -> Iterator[str]:
        options = {name: param for param in self.params if isinstance(param, click.Option) for name in param.opts}
        words = deque(typed)
        while words:
            word = words.popleft()
            option = options.get(word)
            if isinstance(option, OptionalValue):
                has_value = bool(words) and option.reads_as_value(words[0])
                yield f"{word}={words.popleft() if has_value else option.flag_value}"
                continue
            yield word
            if word == "--":
                yield from words
                return
            if option is not None and not option.is_flag and words:
                yield words.popleft()
