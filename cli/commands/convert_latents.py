"""latentlab convert-latents: latents of any kind that is read, to any that is written."""

from pathlib import Path

import click

from cli.options.common import overwrite_file_option
from cli.options.values import LATENT_KINDS


# fmt: off
@click.command()
@click.argument("latents", type=click.Path(path_type=Path), metavar="LATENTS")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.option("--to", "kind", type=click.Choice(LATENT_KINDS),
              help="What to write; default: what the name of OUT says, .pt being a tensor.")
@click.option("--num-ws", type=click.IntRange(1, 64), metavar="N",
              help="Layers of the generator: one w is spread over them, and other counts of "
              "layers are refused.")
@overwrite_file_option
def convert_latents(
    latents: Path, out: Path, kind: str | None, num_ws: int | None, overwrite: bool
) -> None:
    """Write latents in the format of another tool.

    LATENTS is a folder that `latentlab project` wrote, or a file: .npz, .npy, .safetensors,
    .parquet, or a .pt of torch.save, such as the pivot of a tuning, what an encoder's script
    saved, or a projection of rosinality's. A generator of 1024 px has 18 layers, of 512 px 16,
    of 256 px 14.

    \b
    Formats:
      npy          [pictures, layers, w_dim]
      npz          the same as array w, as NVIDIA's projected_w.npz
      pt           the same as a tensor, as encoders and pivotal tuning write it
      rosinality   .pt of {picture: {latent, noise}}
      safetensors  with the names of pictures, as `latentlab project` writes it
      parquet      the same as a table

    \b
    Examples:
      latentlab convert-latents projections latents.npy
      latentlab convert-latents projections latents.pt --to rosinality
      latentlab convert-latents 0.pt projected_w.npz --num-ws 8
    """
    kind = _kind_of(out, kind)
    from cli.projecting.latent_conversion import collected, write
    from cli.reports.tables import refuse_existing
    from cli.running.folder_lock import claimed_file

    kept = [latents] if latents.is_file() else []
    with claimed_file(out):
        refuse_existing([out], overwrite, keep=kept)
        write(collected(latents, num_ws), out, kind)
# fmt: on


def _kind_of(out: Path, asked: str | None) -> str:
    """Return what is to be written: what is asked for, or what the name of the file says."""
    said = {**{f".{each}": each for each in LATENT_KINDS}, ".pth": "pt"}.get(out.suffix.lower())
    if asked is None and said is None:
        raise click.UsageError(f"The name {out.name} does not say what to write; give --to.")
    kind = asked or said or ""
    ending = "pt" if kind == "rosinality" else kind
    if said not in (None, ending):
        raise click.UsageError(
            f"{out.name}: --to {kind} writes a file whose name ends in .{ending}; give another "
            f"name, or --to {said}."
        )
    return kind
