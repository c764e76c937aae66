"""latentlab convert: any checkpoint that opens, to latentlab's own format."""

from dataclasses import replace
from pathlib import Path

import click

from cli.options.common import (
    assume_option,
    checkpoint_argument,
    overwrite_file_option,
    tuning_option,
)
from cli.text import say, say_held


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.safetensors")
@click.option("--only", metavar="NAME", help="One network: G_ema, G, D or classifier.")
@click.option("--rgb", is_flag=True,
              help="Give grey generators three equal channels, and leave out other networks.")
@tuning_option
@assume_option
@overwrite_file_option
def convert(
    checkpoint: str, out: Path, only: str | None, rgb: bool, tuning: Path | None,
    assume: dict[str, str] | None, overwrite: bool,
) -> None:
    """Write a checkpoint in latentlab's own format.

    The new file holds plain weights, and in its header the settings, the kind and SHA-256 of the
    old file, and a note on the licence of its weights. Its images are the same to the last bit;
    with --tuning, they are those of the tuned generator.

    \b
    Examples:
      latentlab convert network-snapshot.pkl model.safetensors
      latentlab convert snapshot.safetensors generator.safetensors --only G_ema
      latentlab convert model.safetensors tuned.safetensors \\
          --tuning tuned/tuning.safetensors
      latentlab convert state_dict.pt model.safetensors --assume mapping_lr_multiplier=0.01
    """
    from cli.models import open_tuned
    from cli.reports.tables import refuse_existing
    from latentlab import Generator, SettingsError, save
    from latentlab.checkpoints.assemble import in_colour

    refuse_existing([out], overwrite)
    opened = open_tuned(checkpoint, tuning, assume)
    say_held()
    if only is not None:
        if only not in opened.networks:
            raise SettingsError(f"{checkpoint} holds {', '.join(opened.networks)}, but no {only}")
        opened = replace(opened, networks={only: opened.networks[only]})
    if rgb:
        generators = {k: g for k, g in opened.networks.items() if isinstance(g, Generator)}
        opened = replace(opened, networks={k: in_colour(g) for k, g in generators.items()})
        if not generators:
            raise SettingsError(f"{checkpoint} holds no generator to bring to three channels")
    save(opened, out)
    say(f"Saved {out}")
# fmt: on
