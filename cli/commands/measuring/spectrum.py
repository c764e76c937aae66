"""latentlab spectrum: average power spectra of generators and of real pictures."""

import click

from cli.options.measuring import MeasuringRequest, measuring_options, samples_option
from cli.options.values import FiniteFloat


# fmt: off
@click.command()
@click.argument("checkpoints", metavar="CKPT|DIR|ZIP...", nargs=-1, required=True)
@samples_option(2_000, "Number of pictures of each generator, and of real ones at most.")
@click.option("--mean", type=FiniteFloat(0, 255), metavar="LEVEL",
              help="Mean of the training data's 8-bit levels, such as 112.684 for FFHQ; default: "
              "of the first real pictures given, or else of the first generator's.")
@click.option("--std", type=FiniteFloat(0, 255, min_open=True), metavar="LEVEL",
              help="Standard deviation of these levels, such as 69.509.")
@measuring_options(several=True)
def spectrum(
    checkpoints: tuple[str, ...],
    samples: int,
    mean: float | None,
    std: float | None,
    request: MeasuringRequest,
) -> None:
    """Show which frequencies pictures are made of.

    Average power spectra of several generators and of folders of real pictures, side by side, as
    in the StyleGAN3 paper: what a generator has too much or too little of. Real pictures are a
    folder, a zip or builtin:digits; the first of them is what generators are compared with. DIR
    receives spectra.png (heat maps), slices.png and slices.csv (levels along an axis and along the
    diagonal) and report.csv.

    \b
    Examples:
      latentlab spectrum stylegan2.pkl stylegan3.pkl ffhq.zip -o spectra
      latentlab spectrum ffhq.pkl --mean 112.684 --std 69.509 --html -o spectrum
      latentlab spectrum builtin:digits builtin:digits-stylegan1 \\
          builtin:digits-stylegan2 --html -o spectra
    """
    labels = request.titles(checkpoints, "source")
    if len(set(checkpoints)) < len(checkpoints):
        raise click.UsageError("Give each source once.")
    if (mean is None) != (std is None):
        raise click.UsageError("--mean and --std go together.")
    from cli.measuring.spectra import FILES, asked_for, measured_spectra, open_sources
    from cli.measuring.spectrum_plots import write
    from cli.measuring.work import claimed_results
    from cli.text import listed
    from latentlab import distributed

    opened = open_sources(checkpoints, labels, request)
    asked = asked_for(opened, samples, mean, std, request.seed)
    with claimed_results(request, f"Spectra of {listed(labels)}", FILES, opened.models,
                         {**asked.identity, **asked.extent}, asked=asked,
                         tasks=opened.tasks(samples, request)) as results:
        measured = measured_spectra(results, opened, asked)
        if distributed.is_main():
            write(results, opened, *measured)
# fmt: on
