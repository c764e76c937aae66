"""latentlab paste-back: projected or edited faces, back in the photos they came from."""

from pathlib import Path

import click

from cli.options.common import output_option, overwrite_option
from cli.options.pictures import background_option, first_frame_option
from cli.options.values import FileName, FiniteFloat
from cli.text import counted, say, say_left_out

_PARTLY_BAD = 4  # exit code


# fmt: off
@click.command("paste-back")
@click.argument("folders", nargs=-1, required=True, metavar="PROJECTION...",
                type=click.Path(path_type=Path))
@click.option("--face", type=FileName(), default="projected.png", show_default=True,
              metavar="NAME", help="Which file of a projection is the face, of any size.")
@click.option("--photos", type=click.Path(exists=True, file_okay=False, path_type=Path),
              metavar="DIR", help="Where the photos are now, if they have moved.")
@click.option("--feather", type=FiniteFloat(0, 0.5), default=0.1, show_default=True,
              metavar="SHARE", help="Share of the face's square along which the photo fades "
              "into it.")
@background_option
@first_frame_option
@output_option
@overwrite_option
def paste_back(
    folders: tuple[Path, ...],
    face: str,
    photos: Path | None,
    feather: float,
    background: tuple[int, int, int],
    first_frame: bool,
    output: Path,
    overwrite: bool,
) -> None:
    """Put faces back into the photos that they were cut from.

    PROJECTION is a folder that `latentlab project --crop face` has written for a photo, or the
    folder of several. DIR receives a NAME.png a photo. Outside the face's square the photo
    stays as it is, to the pixel.

    \b
    Examples:
      latentlab paste-back out -o pasted
      latentlab paste-back out/anna --face edited.png --feather 0.2 -o pasted
    """
    from cli.projecting.pasting import Pasting, files_for, projections
    from latentlab import DataError, ImageError
    from latentlab.files import make_directory
    from latentlab.images import DecodePolicy, save_picture

    paste = Pasting(face, photos, feather,
                    DecodePolicy(background=background, first_frame=first_frame))
    found = list(dict.fromkeys(each for folder in folders for each in projections(folder)))
    files = files_for(found, output, paste, overwrite)
    make_directory(output)
    failures = []
    for folder, file in zip(found, files, strict=True):
        try:
            save_picture(file, paste(folder))
        except (ImageError, DataError) as error:
            failures.append(str(error))
    say(f"{counted(len(found) - len(failures), 'photo')} of {len(found)} written to {output}")
    say_left_out(failures)
    if failures:
        raise click.exceptions.Exit(_PARTLY_BAD)
# fmt: on
