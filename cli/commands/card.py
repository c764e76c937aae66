"""latentlab card: the README of a checkpoint that is to be published."""

import re
from pathlib import Path

import click

from cli.options.common import checkpoint_argument, overwrite_file_option
from cli.text import say, say_held

_NO_REPOSITORY = "OWNER/NAME"  # as cli.measuring.shared_card.NO_REPOSITORY, without pandas
_HUB_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def _owner_and_name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if re.fullmatch(f"{_HUB_NAME}/{_HUB_NAME}", value) is None:
        raise click.BadParameter(f"{value!r} is not OWNER/NAME")
    return value


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.md")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@click.option("--repository", default=_NO_REPOSITORY, metavar="OWNER/NAME",
              callback=_owner_and_name,
              help="Where it will be on the Hugging Face Hub; the examples name it.")
@overwrite_file_option
def card(
    checkpoint: str, out: Path, folders: tuple[Path, ...], repository: str, overwrite: bool
) -> None:
    """Write a model card to publish.

    It says what the checkpoint is, how to open it, and what was measured of it.

    Each DIR is the folder of a finished measurement of this checkpoint (latentlab ppl,
    separability, contributions, droplets, fidelity or compare), or of the file that it was
    converted from. The card is Markdown with the head that the Hugging Face Hub reads.

    \b
    Examples:
      latentlab card model.safetensors README.md
      latentlab card model.safetensors README.md ppl separability \\
          --repository me/faces
    """
    from cli.measuring.shared_card import card_text, measured_of
    from cli.models import open_model
    from cli.reports.tables import refuse_existing
    from cli.running.folder_lock import claimed_file
    from latentlab.files import atomic_write

    with claimed_file(out):
        refuse_existing([out], overwrite)
        model = open_model(checkpoint, "cpu", pictures=False)
        results = measured_of(model, folders)
        say_held()
        with atomic_write(out) as path:
            path.write_text(card_text(model, results, repository), encoding="utf-8")
        say(f"Saved {out}")
# fmt: on
