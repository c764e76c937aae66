"""latentlab reproduce: a table or figure of the papers, measured again."""

import click

from cli.options.measuring import MeasuringRequest, measuring_options
from cli.options.reproduction import (
    CONTRIBUTIONS,
    OVER_RUN,
    PROJECTIONS,
    TABLES,
    ReproductionRequest,
    reproduction_options,
)


# fmt: off
@click.command()
@click.argument("name", type=click.Choice(list(TABLES)), metavar="NAME")
@click.argument("checkpoints", nargs=-1, required=True, metavar="[LABEL=]CKPT...")
@reproduction_options
@measuring_options(always_page=True, several=True)
def reproduce(
    name: str,
    checkpoints: tuple[str, ...],
    wanted: ReproductionRequest,
    request: MeasuringRequest,
) -> None:
    """Measure a table or figure of the papers again.

    Each model fills a row: LABEL=CKPT says which one of the paper, and the names of the released
    files are known. DIR/report.html has the columns of the paper, each with what was measured and
    what is published, and says how far apart both are in standard errors. That is withheld, with
    the reason, where data set, resolution, sample count or a network are not the paper's. Rows of
    the paper without a model are shown as published. DIR receives report.csv, table.csv (one row
    for each cell) and table.png as well. The same command again continues where it was stopped.

    \b
    Tables and figures, and what they need:
      stylegan-table1       FID of configurations A to F; --data
      stylegan-table2       FID where 1 to 4 latents are mixed; --data
      stylegan-table3       path lengths and separability; --classifier
      stylegan-table4       depth of the mapping; --data, --classifier
      stylegan2-table1      FID, path length, precision, recall; --data
      stylegan2-table3      FID and path length by LSUN data set; --data
      stylegan2-fig8        contributions; CKPT is the folder of a run
      stylegan2-projection  projection distances of models; --real
    Samples are as many as in the papers: 50,000 pictures for FID, 100,000
    paths for StyleGAN and 50,000 for StyleGAN2, 200,000 for separability.

    \b
    Labels of rows:
      A to F, and mix50 in stylegan-table3
      0, 50, 90, 100                  percent, in stylegan-table2
      traditional-0, traditional-8    in stylegan-table4, and
      stylebased-0, -1, -2, -8
      car-stylegan, car-stylegan2     in stylegan2-table3; cat, church, horse

    \b
    Examples:
      latentlab reproduce stylegan2-table1 F=ffhq.pkl --dataset ffhq \\
          --data ffhq.zip --distance vgg16.pt -o table1
      latentlab reproduce stylegan2-fig8 runs/digits --quick -o fig8
      latentlab reproduce stylegan2-projection builtin:digits-stylegan1 \\
          builtin:digits-stylegan2 --distance builtin:digits \\
          --real builtin:digits --steps 200 --quick -o projection
    """
    wanted.refuse_unfit(name)
    if name == OVER_RUN:
        from cli.reproducing.over_run import reproduce_over_run

        reproduce_over_run(checkpoints, wanted.counts(name)[CONTRIBUTIONS], request)
    elif name == PROJECTIONS:
        from cli.reproducing.projections import reproduce_projections

        reproduce_projections(checkpoints, wanted, request)
    else:
        from cli.reproducing.run import reproduce_table

        reproduce_table(name, checkpoints, wanted, request)
# fmt: on
