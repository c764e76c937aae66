"""latentlab separability: how well planes in the latent space divide attributes."""

import click

from cli.options.measuring import (
    MeasuringRequest,
    SeparabilityRequest,
    measuring_options,
    separability_options,
)


# fmt: off
@click.command()
@click.argument("checkpoint", metavar="[CKPT]", required=False)
@separability_options
@measuring_options(compiles=True)
def separability(
    checkpoint: str | None, wanted: SeparabilityRequest, request: MeasuringRequest
) -> None:
    """Measure linear separability.

    How well a plane in Z or W divides the pictures with an attribute from those without: 1 is
    the best score, and each bit that planes leave open doubles it. As published, planes classify
    the pictures that they were fitted to, which flatters; cross-fitted scores are what they would
    leave open with any number of pictures. DIR receives report.csv (the scores with their
    intervals), attributes.csv and attributes.png (each attribute alone). The same command again
    continues a stopped measurement.

    A folder as CKPT stands for the snapshots in it, which are measured one after the other:
    over_training.png shows the scores over the images shown in training.

    With CKPT, pictures are made and classified; with --latents and --labels, none are.

    \b
    Classifiers:
      FILE    a pickle of StyleGAN's release, safetensors of train-classifier,
              or with --trust TorchScript, a program: pictures in [-1,1] to
              logits [N,K]
      builtin:digits-classifier
      DIR or 'PATTERN'  all classifiers in a folder, or that a pattern matches, in
              the order of their names: forty attributes are one option

    Labels are a table with one row per sample and one column per attribute: 0/1, true/false,
    yes/no, -1/1, or scores whose sign is the class; empty cells are unknown. Latents of a folder
    find their rows by the column `picture`, others by their order.

    \b
    Examples:
      latentlab separability builtin:digits-stylegan2 --samples 4000 \\
          --classifier builtin:digits-classifier --html -o digits
      latentlab separability ffhq.pkl --classifier male.pkl \\
          --classifier smiling.pkl -o separability
      latentlab separability ffhq.pkl --classifier celebahq/ -o separability
      latentlab separability --latents projections --labels labels.csv \\
          -o separability
    """
    attributes = wanted.attributes
    own, needed = attributes.labelled, "Give CKPT and --classifier, or --latents and --labels."
    if (attributes.latents or attributes.labels) and (checkpoint or not own):
        raise click.UsageError("--latents and --labels go together, without CKPT or --classifier.")
    if not (checkpoint or own):
        raise click.UsageError(needed)
    attributes.refuse_conflicts(needed, wanted.samples)
    if own and wanted.space == "z,w":
        raise click.UsageError("--latents are of one space; give --space z, or w.")
    from cli.measuring.separability import measure_latents, measure_model

    if own:
        measure_latents(*own, wanted, request)
    elif checkpoint:
        measure_model(checkpoint, wanted, request)
# fmt: on
