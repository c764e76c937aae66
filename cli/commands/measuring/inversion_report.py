"""latentlab inversion-report: how near results of projectors are to their targets."""

from pathlib import Path

import click

from cli.options.common import listed_distances
from cli.options.inversions import InversionRequest, inversion_options
from cli.options.measuring import MeasuringRequest, measuring_options


# fmt: off
@click.command("inversion-report")
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(path_type=Path))
@inversion_options
@measuring_options(always_page=True, several=True)
@listed_distances
def inversion_report(
    folders: tuple[Path, ...], wanted: InversionRequest, request: MeasuringRequest
) -> None:
    """Measure how near inversions are to their targets.

    DIR are folders of `latentlab project` and `latentlab tune`, each a method; --targets and
    --results are those of other tools. Each picture is compared with its target at 256x256:
    LPIPS, MSE, MAE, PSNR, SSIM, MS-SSIM, identity with --identity, then FID and KID of the
    two sets, and the seconds that a picture took, where they are known.

    DIR/report.html says which method is nearer by which measure, over the pictures that all have,
    with the difference, its interval and whether it is significant, and shows the worst and the
    best. DIR receives report.csv (means with intervals), pictures.csv (each picture) and
    differences.csv. The same command again continues where it was stopped.

    \b
    Examples:
      latentlab inversion-report projections -o report
      latentlab inversion-report w w-plus tuned --name W --name W+ --name PTI \\
          -o report
      latentlab inversion-report w-plus --targets photos --results psp \\
          --results e4e -o report
      latentlab inversion-report out --distance builtin:digits --score none \\
          -o report
    """
    wanted.refuse_conflicts(folders)
    from cli.inversions.measured import report_inversions

    report_inversions(folders, wanted, request)
# fmt: on
