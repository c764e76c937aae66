"""Whether a command line lets files run that are programs; see ``--trust``."""

import click

_TRUSTED = "cli.trust"  # in what click keeps for a command line


def keep_trust(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Keep what the command line says."""
    ctx.meta[_TRUSTED] = wanted


def trusted() -> bool:
    """Whether the command line that runs has ``--trust``; nothing is trusted where none runs."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(_TRUSTED, False))
