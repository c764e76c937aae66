"""latentlab tune: a generator's weights, moved so that projected pictures come out right."""

from pathlib import Path

import click

from cli.options.common import (
    checkpoint_argument,
    device_option,
    dry_run_option,
    output_option,
    overwrite_option,
)
from cli.options.projection import TuningRequest, tuning_options
from cli.text import counted, say


# fmt: off
@click.command()
@checkpoint_argument
@click.argument("folders", nargs=-1, required=True, metavar="PROJECTION_DIR...",
                type=click.Path(path_type=Path))
@tuning_options
@dry_run_option
@output_option
@overwrite_option
@device_option
def tune(
    checkpoint: str,
    folders: tuple[Path, ...],
    request: TuningRequest,
    dry_run: bool,
    output: Path,
    overwrite: bool,
    device: str,
) -> None:
    """Tune a generator to projected pictures (pivotal tuning).

    PROJECTION_DIR is a folder that `latentlab project` wrote, for one picture or for many; all
    pictures are tuned to together (Roich et al. 2021). Latents and noise stay as they are, the
    weights of the synthesis network change. DIR receives tuning.safetensors, a small file of the
    differences; report.csv, with each picture's distance, PSNR and SSIM before and after, of the
    whole and within its mask; and for each picture NAME/tuned.png, NAME/target.png and
    NAME/comparison.png (target, projection, tuned), mask.png where it has one, and for a face
    alignment.json, with which `latentlab paste-back` puts it back into its photo.

    generate, edit, interpolate and convert take the file as --tuning, with the checkpoint that it
    was made for.

    \b
    Examples:
      latentlab tune model.safetensors out -o tuned
      latentlab generate model.safetensors --tuning tuned/tuning.safetensors \\
          --projected-w out/projected_w.npz -o again
      latentlab convert model.safetensors tuned.safetensors \\
          --tuning tuned/tuning.safetensors
    """
    from cli.projecting.files import COMPARISON
    from cli.projecting.tuning import open_tuning, tune_and_report
    from cli.running.announcement import open_first
    from cli.running.folder_lock import claimed

    with claimed(output, dry_run=dry_run):
        work = open_tuning(checkpoint, folders, request, output, overwrite, device)
        if dry_run:
            work.tell(output)
            return
        tune_and_report(work, output)
        say(f"Tuned to {counted(len(work.pivots), 'picture')}; see {output}")
        open_first(next(iter(work.pivots)) / COMPARISON)
# fmt: on
