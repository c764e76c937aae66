"""How options and arguments appear to people: their help in words, what completes their values.

Nothing here imports torch: help, usage errors and completion answer at once.
"""

import copy
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.options.completion import completions


class Option(click.Option):
    """An option whose help shows defaults and ranges as people write them.

    Attributes:
        old: Spellings that still work and that nothing shows: names of earlier versions.
    """

    def __init__(self, *arguments: Any, old: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.old = tuple(old)

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser accept the old spellings too, as the same option."""
        super().add_to_parser(parser, ctx)
        if self.old:
            alias = copy.copy(self)
            alias.opts, alias.old = list(self.old), ()
            click.Option.add_to_parser(alias, parser, ctx)

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what stands in brackets behind the help: default and range in words."""
        extra = super().get_help_extra(ctx)
        if "default" in extra:
            value = self.get_default(ctx, call=False)
            values = value if isinstance(value, list | tuple) else [value]
            extra["default"] = ", ".join(_in_words(each) for each in values)
        extra.pop("range", None)
        if words := range_in_words(self.type):
            extra["range"] = words
        return extra

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert a value; one out of range is refused in words."""
        try:
            return super().type_cast_value(ctx, value)
        except click.BadParameter as error:
            if " is not in the range " not in error.message:
                raise
            number, phrase, _ = error.message.partition(" is not in the range ")
            raise click.BadParameter(f"{number}{phrase}{_rule(self.type)}.", ctx, self) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what the value may be."""
        found = completions(self, ctx, incomplete)
        return super().shell_complete(ctx, incomplete) if found is None else found


class Argument(click.Argument):
    """An argument whose values are completed."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what the value may be."""
        found = completions(self, ctx, incomplete)
        return super().shell_complete(ctx, incomplete) if found is None else found


def in_words(command: click.Command) -> click.Command:
    """Give a command's options and arguments the help and the completion of this module."""
    kinds: dict[type[click.Parameter], type[click.Parameter]] = {
        click.Option: Option,
        click.Argument: Argument,
    }
    command.params = [_remade(each, kinds.get(type(each))) for each in command.params]
    return command


def range_in_words(kind: "click.ParamType[Any]") -> str:
    """Return the range of a type of numbers: "1 or more", "above 0", "0 to 1".

    Empty where there is none, or where it only says that numbers do not go below zero.
    """
    return "" if _rule(kind) == "0 or more" else _rule(kind)


def _rule(kind: "click.ParamType[Any]") -> str:
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return ""
    least, most = kind.min, kind.max
    if least is not None and most is not None and not (kind.min_open or kind.max_open):
        return f"{_in_words(least)} to {_in_words(most)}"
    parts = []
    if least is not None:
        parts.append(
            f"above {_in_words(least)}" if kind.min_open else f"{_in_words(least)} or more"
        )
    if most is not None:
        parts.append(f"below {_in_words(most)}" if kind.max_open else f"{_in_words(most)} or less")
    return " and ".join(parts)


def _in_words(value: Any) -> str:
    """Write a value as one would type it, with commas in large numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if value != int(value):
        return f"{value:g}"
    return f"{int(value):,}" if abs(value) >= 10_000 else str(int(value))


def _remade(plain: click.Parameter, kind: type[click.Parameter] | None) -> click.Parameter:
    if kind is None:
        return plain
    remade = kind.__new__(kind)
    vars(remade).update(vars(plain), **({"old": ()} if kind is Option else {}))
    return remade
