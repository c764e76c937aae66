"""latentlab info: what a checkpoint holds."""

import json
from typing import TYPE_CHECKING, Any

import click

from cli.options import checkpoint_argument

if TYPE_CHECKING:
    from latentlab import Checkpoint


@click.command()
@checkpoint_argument
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(checkpoint: str, as_json: bool) -> None:
    """Tell what a checkpoint holds.

    \b
    Examples:
      latentlab info network-snapshot.pkl
      latentlab info builtin:digits-stylegan2 --json
    """
    from latentlab import load

    facts = _facts(load(checkpoint))
    if as_json:
        click.echo(json.dumps(facts, indent=1))
        return
    lines = [("kind", facts["kind"]), ("sha256", facts["sha256"])]
    for name, network in facts["networks"].items():
        lines.append((name, f"{network.pop('type')}, {network.pop('parameters'):,} parameters"))
        lines.append(("", _short(network)))
    lines += [(name, _short(value)) for name, value in facts["metadata"].items()]
    width = max(len(name) for name, _ in lines)
    click.echo(facts["file"])
    for name, text in lines:
        click.echo(f"  {name:<{width}}  {text}")


def _facts(opened: "Checkpoint") -> dict[str, Any]:
    from latentlab.checkpoints.assemble import config_to_dict

    networks = {}
    for name, network in opened.networks.items():
        described = config_to_dict(network)
        settings = {k: v for k, v in described["config"].items() if v is not None}
        count = sum(weight.numel() for weight in network.parameters())
        networks[name] = {"type": described["type"], "parameters": count, **settings}
    return {
        "file": str(opened.path),
        "kind": opened.kind,
        "sha256": opened.sha256,
        "networks": networks,
        "metadata": dict(opened.metadata),
    }


def _short(value: Any) -> str:
    """Write a value on one line: nested settings by their names, lists by their items."""
    if isinstance(value, dict):
        inner = ((k, "..." if isinstance(v, dict) else _short(v)) for k, v in value.items())
        return ", ".join(f"{k} {v}" for k, v in inner)
    if isinstance(value, list | tuple):
        return "(" + " ".join(map(_short, value)) + ")"
    return f"{value:g}" if isinstance(value, float) else str(value)
