"""latentlab contributions: the share of each resolution in a skip generator's output."""

import click

from cli.options.measuring import MeasuringRequest, measuring_options, samples_option


# fmt: off
@click.command()
@click.argument("checkpoints", nargs=-1, required=True, metavar="CKPT...")
@samples_option(1024, "Number of latents.")
@measuring_options(several=True)
def contributions(
    checkpoints: tuple[str, ...], samples: int, request: MeasuringRequest
) -> None:
    """Measure the share of each resolution.

    For generators of StyleGAN2's skip architecture, which add up an RGB image of every
    resolution. A folder stands for the snapshots in it: if all of them say how many images they
    were trained on, the plot shows the shares over the training.

    Shares are of the standard deviations of the images that are added up, both as they come and
    upsampled to full size. DIR receives report.csv and contributions.png.

    \b
    Examples:
      latentlab contributions builtin:digits-stylegan2 -o shares
      latentlab contributions runs/photos --html -o shares
      latentlab contributions network-snapshot-005000.pkl \\
          network-snapshot-025000.pkl -o shares
    """
    from cli.measuring.contributions import measure_contributions

    measure_contributions(checkpoints, samples, request, "Contribution of each resolution")
# fmt: on
