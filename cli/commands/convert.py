"""latentlab convert: any checkpoint that opens, to latentlab's own format or to other people's."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options.common import (
    assume_option,
    checkpoint_argument,
    overwrite_file_option,
    tuning_option,
)
from cli.text import listed, say, say_held, say_soon

if TYPE_CHECKING:
    from latentlab import Checkpoint, Exported

FORMS = ("rosinality", "yuuho", "safetensors", "nvidia-state")


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.option("--to", type=click.Choice(FORMS),
              help="Whose form the file has; default: safetensors, latentlab's own, where OUT ends "
              "in .safetensors.")
@click.option("--only", metavar="NAME", help="One network: G_ema, G, D or classifier.")
@click.option("--rgb", is_flag=True,
              help="Give grey generators three equal channels, and leave out other networks.")
@click.option("--approximate", is_flag=True,
              help="Write also what the other code computes a little differently, and say what.")
@tuning_option
@assume_option
@overwrite_file_option
def convert(
    checkpoint: str, out: Path, to: str | None, only: str | None, rgb: bool, approximate: bool,
    tuning: Path | None, assume: dict[str, str] | None, overwrite: bool,
) -> None:
    """Write a checkpoint in latentlab's own format or another.

    \b
    Forms:
      safetensors   latentlab's own: plain weights; in its header settings,
                    kind and SHA-256 of the old file, a note on its licence
      rosinality    stylegan2-pytorch; of a StyleGAN1, style-based-gan-pytorch
      yuuho         stylegans-pytorch, StyleGAN1 or StyleGAN2
      nvidia-state  state dicts and settings for NVIDIA's PyTorch releases

    The file holds tensors and plain values, no code. Its images are the same; with --tuning, they
    are those of the tuned generator. A file for other code is opened again and compared before it
    is kept, and what that code cannot hold is refused. docs/convert.md says how it is opened there.

    \b
    Examples:
      latentlab convert network-snapshot.pkl model.safetensors
      latentlab convert ffhq.pkl ffhq.pt --to rosinality
      latentlab convert snapshot.safetensors generator.safetensors --only G_ema
      latentlab convert model.safetensors tuned.safetensors \\
          --tuning tuned/tuning.safetensors
      latentlab convert state_dict.pt model.safetensors \\
          --assume mapping_lr_multiplier=0.01
    """
    from cli.models import open_tuned
    from cli.reports.tables import refuse_existing
    from cli.running.folder_lock import claimed_file
    from latentlab import export
    from latentlab.checkpoints.exporting import NATIVE, target_of

    to = target_of(out, to)
    if approximate and to == NATIVE:
        raise click.UsageError("--approximate: latentlab's own format is exact; leave it out.")
    inputs = [Path(checkpoint), *([tuning] if tuning is not None else [])]
    with claimed_file(out):
        refuse_existing([out], overwrite, keep=inputs)
        opened = open_tuned(checkpoint, tuning, assume)
        opened = _one_network(opened, only, checkpoint) if only is not None else opened
        opened = _in_colour(opened, checkpoint) if rgb else opened
        if to != NATIVE:
            say_soon(f"Writing {out}, and comparing the images of what was written ...")
        exported = export(opened, out, to, approximate=approximate)
        say_held()
        _tell(exported, to == NATIVE)
# fmt: on


def _one_network(opened: "Checkpoint", name: str, checkpoint: str) -> "Checkpoint":
    from latentlab import SettingsError

    if name not in opened.networks:
        raise SettingsError(f"{checkpoint} holds {', '.join(opened.networks)}, but no {name}")
    return replace(opened, networks={name: opened.networks[name]})


def _in_colour(opened: "Checkpoint", checkpoint: str) -> "Checkpoint":
    from latentlab import Generator, SettingsError
    from latentlab.checkpoints.assemble import in_colour

    generators = {k: g for k, g in opened.networks.items() if isinstance(g, Generator)}
    found = {k: in_colour(g) for k, g in generators.items()}
    if not found:
        raise SettingsError(f"{checkpoint} holds no generator to bring to three channels")
    return replace(opened, networks=found)


def _tell(exported: "Exported", is_native: bool) -> None:
    """Say what was written, what to know of it, and how it is opened."""
    say(f"Saved {exported.path}")
    if is_native:
        return
    pairs = exported.networks.items()
    held = [ours if ours == theirs else f"{ours} as {theirs}" for ours, theirs in pairs]
    say(f"It holds {listed(held)}.")
    for note in exported.notes:
        say(note)
    if exported.difference == 0:
        say("Opened again, its images are the same to the last bit.")
    elif exported.difference is not None:
        apart = f"{exported.difference:.1g}, on a scale from -1 to 1"
        say(f"Opened again, its images differ by at most {apart}.")
    say(f"Over there: {exported.opening}")
