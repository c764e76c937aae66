"""latentlab separability: how well planes in the latent space divide attributes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options.measuring import Order, measuring_options, samples_option
from cli.text import say

if TYPE_CHECKING:
    pass

SPACE_CHOICES = ("z,w", "z", "w")

_FILE = click.Path(path_type=Path)


# fmt: off
@click.command()
@click.argument("checkpoint", metavar="[CKPT]", required=False)
@click.option("--classifier", "classifiers", multiple=True, metavar="FILE",
              help="Classifier of pictures, see above; several with the option again.")
@click.option("--outputs", type=click.Choice(["classes", "attributes"]), default="classes",
              show_default=True, help="What several outputs of one classifier are: classes that "
              "exclude each other, each taken against the rest, or attributes of their own.")
@samples_option(200_000, "Number of pictures.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N",
              help="Samples that count for an attribute, the most confident. Default: half; with "
              "--labels all.")
@click.option("--space", type=click.Choice(SPACE_CHOICES),
              help="Spaces to measure. Default: both, or those that there are.")
@click.option("--dual", is_flag=True, help="Solve the SVM as the published code does, which seldom "
              "converges and depends on the seed.")
@click.option("--latents", type=_FILE, metavar="FILE|DIR",
              help="Latents of your own: .npz with w or z, or a folder of `latentlab project`.")
@click.option("--labels", type=_FILE, metavar="CSV", help="Labels for them, see above.")
@click.option("--layer", type=click.IntRange(min=0), metavar="N",
              help="Which w of --latents that have one a layer. Default: the last.")
@measuring_options
def separability(
    checkpoint: str | None,
    classifiers: tuple[str, ...],
    outputs: str,
    samples: int,
    keep: int | None,
    space: str | None,
    dual: bool,
    latents: Path | None,
    labels: Path | None,
    layer: int | None,
    order: Order,
) -> None:
    """Measure linear separability.

    How well a plane in Z or W divides the pictures with an attribute from those without: 1 is
    the best score, and each bit that planes leave open doubles it. DIR receives report.csv (the
    scores with their intervals), attributes.csv and attributes.png (each attribute alone). The
    same command again continues a stopped measurement.

    With CKPT, pictures are made and classified; with --latents and --labels, nothing is.

    \b
    Classifiers:
      FILE    a pickle of StyleGAN's release, safetensors of train-classifier,
              or TorchScript: pictures in [-1,1] to logits [N,K]
      builtin:digits-classifier

    Labels are a table with a row a sample and a column an attribute: 0/1, true/false, yes/no,
    -1/1, or scores whose sign is the class; empty cells are unknown. Latents of a folder find
    their row by its column `picture`, others by their order.

    \b
    Examples:
      latentlab separability builtin:digits-stylegan2 --samples 4000 \\
          --classifier builtin:digits-classifier --html -o digits
      latentlab separability ffhq.pkl --classifier male.pkl \\
          --classifier smiling.pkl -o separability
      latentlab separability --latents projections --labels labels.csv \\
          -o separability
    """
    if latents or labels:
        if checkpoint or classifiers or not (latents and labels):
            raise click.UsageError("--latents and --labels go together, without CKPT or classifier")
        if space == "z,w":
            raise click.UsageError("--latents are of one space; give --space z, or w")
        _of_latents(latents, labels, keep, space, layer, dual, order)
        return
    if not checkpoint or not classifiers:
        raise click.UsageError("give CKPT and --classifier, or --latents and --labels")
    if layer is not None:
        raise click.UsageError("--layer goes with --latents")
    if keep is not None and keep > samples:
        raise click.UsageError(f"--keep {keep} is more than --samples {samples}")
    _of_model(checkpoint, classifiers, outputs, samples, keep, space, dual, order)
# fmt: on


def _of_model(
    checkpoint: str,
    classifiers: tuple[str, ...],
    outputs: str,
    samples: int,
    keep: int | None,
    space: str | None,
    dual: bool,
    order: Order,
) -> None:
    """Make pictures, classify them, and divide their latents."""
    from cli.measuring.results import Results
    from cli.measuring.separability import FILES, open_classifiers, write
    from cli.measuring.work import tell_dry_run, work_on
    from cli.models import open_model
    from latentlab import distributed
    from metrics import linear_separability
    from metrics.sampling import has_w

    model = open_model(checkpoint, order.device)
    opened = open_classifiers(classifiers, model.place)
    spaces = (space or ("z,w" if has_w(model.g) else "z")).split(",")
    results = Results(order, f"Linear separability of {model.name}", FILES)
    settings = {
        "protocol": "ls", "n": samples, "num_keep": keep or max(samples // 2, 1),
        "spaces": spaces, "outputs": outputs, "dual": dual, "seed": order.seed,
        "classifiers": {one.name: one.sha256 for one in opened},
    }  # fmt: skip
    if order.dry_run:
        tell_dry_run([model], settings)
        return
    with results.claimed():
        work = work_on(order.output, model, "classifying", samples, "picture", settings)
        with work as begun, _planes() as fit_progress:
            result = linear_separability(
                model.g, [one.network for one in opened], samples, keep, spaces, order.seed,
                names=[one.name for one in opened], outputs=outputs, dual=dual,
                batch=order.batch, fit_progress=fit_progress, **begun,
            )  # fmt: skip
        if distributed.is_main():
            facts = {**model.facts(), **result.settings, **settings}
            write(results, result, model.tidy(result), facts, [])
            say(f"See {order.output}")


def _of_latents(
    latents: Path,
    labels: Path,
    keep: int | None,
    space: str | None,
    layer: int | None,
    dual: bool,
    order: Order,
) -> None:
    """Divide latents by labels that are there already."""
    from cli.measuring.labelled_latents import read_labelled
    from cli.measuring.results import Results
    from cli.measuring.separability import FILES, sha256_of_latents, tidy, write
    from cli.measuring.work import tell_dry_run
    from cli.text import plain_text
    from latentlab import distributed
    from latentlab.files import sha256_of
    from metrics.separability.score import separability_from_labels

    read = read_labelled(latents, labels, space, layer)
    results = Results(order, f"Linear separability of {plain_text(latents)}", FILES)
    sha256 = sha256_of_latents(latents)
    settings = {
        "protocol": "ls_labels", "latents": plain_text(latents), "sha256": sha256,
        "labels": plain_text(labels), "labels_sha256": sha256_of(labels), "space": read.space,
        "layer": layer, "n": len(read.latents), "num_keep": keep, "dual": dual,
        "names": list(read.labels.columns), "seed": order.seed,
    }  # fmt: skip
    if order.dry_run:
        tell_dry_run([], settings)
        return
    with results.claimed():
        with _planes() as progress:
            result = separability_from_labels(
                read.latents, read.labels, keep, space=read.space, dual=dual, seed=order.seed,
                progress=progress,
            )  # fmt: skip
        if distributed.is_main():
            rows = tidy(result, plain_text(latents), sha256)
            write(results, result, rows, {**result.settings, **settings}, read.notes)
            say(f"See {order.output}")


@contextmanager
def _planes() -> Iterator[Callable[[int, int], None]]:
    """Yield what shows the planes fitted on a bar, which begins with the first of them."""
    from contextlib import ExitStack

    from cli.running.progress import ProgressBar
    from latentlab import distributed

    with ExitStack() as stack:
        bars: list[ProgressBar] = []

        def show(done: int, total: int) -> None:
            if not bars:
                hidden = not distributed.is_main()
                bars.append(stack.enter_context(ProgressBar(total, "dividing", "plane", hidden)))
            bars[0].move_to(done)

        yield show
