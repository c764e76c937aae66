"""latentlab info: what a checkpoint holds."""

import json
import math
from typing import TYPE_CHECKING, Any

import click

from cli.options.common import assume_option, checkpoint_argument
from cli.text import say_held, tell

if TYPE_CHECKING:
    from latentlab import Checkpoint


_LARGE = 100_000_000  # bytes, that are not read in the blink of an eye


@click.command()
@checkpoint_argument
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@assume_option
def info(checkpoint: str, as_json: bool, assume: dict[str, str] | None) -> None:
    """Show what a checkpoint holds.

    Settings are listed where they differ from those that its system was published with; --json
    lists all of them.

    \b
    Examples:
      latentlab info network-snapshot.pkl
      latentlab info builtin:digits-stylegan2 --json
      latentlab info state_dict.pt --assume mapping_lr_multiplier=0.01
    """
    from cli.fetching import fetch_first
    from cli.models import say_opening
    from cli.reports.description import describe
    from latentlab import load

    fetch_first(checkpoint)
    say_opening(checkpoint, _LARGE)
    say_held()
    opened = load(checkpoint, assume=assume)
    if as_json:
        click.echo(json.dumps(_finite(_facts(opened)), indent=1, allow_nan=False))
    else:
        tell(*describe(opened, checkpoint).split("\n"))


def _facts(opened: "Checkpoint") -> dict[str, Any]:
    from latentlab.checkpoints.assemble import config_to_dict
    from latentlab.checkpoints.checkpoint import kind_in_words, licence_note

    networks = {}
    for name, network in opened.networks.items():
        described = config_to_dict(network)
        count = sum(weight.numel() for weight in network.parameters())
        networks[name] = {"type": described["type"], "parameters": count, **described["config"]}
    return {
        "file": str(opened.path),
        "kind": opened.kind,
        "system": kind_in_words(opened.kind),
        "sha256": opened.sha256,
        "licence": licence_note(opened),
        "stored_as": list(opened.stored_as),
        "networks": networks,
        "metadata": dict(opened.metadata),
    }


def _finite(value: Any) -> Any:
    """Replace NaN and infinity, which a header may hold but JSON cannot, by null."""
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
