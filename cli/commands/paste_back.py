"""latentlab paste-back: projected, edited or tuned faces, back in the photos they came from."""

from pathlib import Path

import click

from cli.options.common import output_option, overwrite_option
from cli.options.option import Option
from cli.options.pictures import DecodeRequest, decode_options
from cli.options.values import FiniteFloat, file_name, float_list
from cli.running.exit_codes import leave
from cli.text import counted, say


# fmt: off
@click.command("paste-back")
@click.argument("places", nargs=-1, required=True, metavar="PLACE...",
                type=click.Path(path_type=Path))
@click.option("--face-file", "face", cls=Option, old=["--face"], type=file_name(), metavar="NAME",
              help="Which file of a folder is the face, of any size. Default: projected.png, "
              "tuned.png, or the frames of an edit.")
@click.option("--direction", "directions", multiple=True, metavar="NAME",
              help="Of edits, the frames of this direction only, by the name of its folder. Repeat "
              "the option for more.")
@click.option("--strengths", type=float_list, metavar="LIST",
              help="Of edits, the frames of these strengths only.")
@click.option("--photos", type=click.Path(exists=True, file_okay=False, path_type=Path),
              metavar="DIR", help="Where the photos are now, if they have moved.")
@click.option("--feather", type=FiniteFloat(0, 0.5), default=0.1, show_default=True,
              metavar="SHARE", help="Share of the face's square along which the photo fades "
              "into it.")
@decode_options
@output_option
@overwrite_option
def paste_back(
    places: tuple[Path, ...],
    face: str | None,
    directions: tuple[str, ...],
    strengths: list[float] | None,
    photos: Path | None,
    feather: float,
    decoding: DecodeRequest,
    output: Path,
    overwrite: bool,
) -> None:
    """Put faces back into the photos that they were cut from.

    PLACE is a folder that `latentlab project --crop face` has written for a photo, or one that
    `latentlab edit` or `latentlab tune` has made from it, or the folder of several; or a single
    picture there, such as a frame of an edit. DIR receives a PHOTO.png for each projection,
    PHOTO-DIRECTION_STRENGTH.png for each frame and PHOTO-tuned.png for each tuning. Outside the
    face's square the photo stays as it is, to the pixel.

    \b
    Examples:
      latentlab paste-back out -o pasted
      latentlab paste-back edit --direction smile --strengths 1.5,3 -o pasted
      latentlab paste-back edit/anna/smile/04_+3.png tuned -o pasted
      latentlab paste-back out/anna --face-file retouched.png -o pasted
    """
    if face is not None and (directions or strengths):
        raise click.UsageError("Give either --face-file, or --direction and --strengths.")
    from cli.projecting.pasting import Pasting, files_for, paste_all
    from cli.projecting.returning_faces import FaceChoice, find_faces
    from cli.running.announcement import open_first
    from cli.running.folder_lock import claimed

    with claimed(output):
        paste = Pasting(photos, feather, decoding.policy())
        found = find_faces(places, FaceChoice(face, directions, strengths or []))
        files = files_for(found, output, paste, overwrite)
        failures = paste_all(paste, files)
        say(f"{counted(len(files) - len(failures), 'photo')} of {len(files):,} written to {output}")
        for file in [file for file in files.values() if file.exists()][:1]:
            open_first(file)
        leave(failures)
# fmt: on
