"""latentlab paste-back: projected or edited faces, back in the photos they came from."""

from pathlib import Path

import click

from cli.options.common import output_option, overwrite_option
from cli.options.option import Option
from cli.options.pictures import DecodeRequest, decode_options
from cli.options.values import FiniteFloat, file_name
from cli.running.exit_codes import leave
from cli.text import counted, say


# fmt: off
@click.command("paste-back")
@click.argument("folders", nargs=-1, required=True, metavar="PROJECTION...",
                type=click.Path(path_type=Path))
@click.option("--face-file", "face", cls=Option, old=["--face"], type=file_name(),
              default="projected.png", show_default=True, metavar="NAME",
              help="Which file of a projection is the face, of any size.")
@click.option("--photos", type=click.Path(exists=True, file_okay=False, path_type=Path),
              metavar="DIR", help="Where the photos are now, if they have moved.")
@click.option("--feather", type=FiniteFloat(0, 0.5), default=0.1, show_default=True,
              metavar="SHARE", help="Share of the face's square along which the photo fades "
              "into it.")
@decode_options
@output_option
@overwrite_option
def paste_back(
    folders: tuple[Path, ...],
    face: str,
    photos: Path | None,
    feather: float,
    decoding: DecodeRequest,
    output: Path,
    overwrite: bool,
) -> None:
    """Put faces back into the photos that they were cut from.

    PROJECTION is a folder that `latentlab project --crop face` has written for a photo, or the
    folder of several. DIR receives a NAME.png for each photo. Outside the face's square
    the photo stays as it is, to the pixel.

    \b
    Examples:
      latentlab paste-back out -o pasted
      latentlab paste-back out/anna --face-file edited.png --feather 0.2 -o pasted
    """
    from cli.projecting.pasting import Pasting, files_for, paste_all, projections
    from cli.running.announcement import open_first

    paste = Pasting(face, photos, feather, decoding.policy())
    found = projections(folders)
    files = files_for(found, output, paste, overwrite)
    failures = paste_all(paste, files)
    say(f"{counted(len(files) - len(failures), 'photo')} of {len(files)} written to {output}")
    for file in [file for file in files.values() if file.exists()][:1]:
        open_first(file)
    leave(failures)
# fmt: on
