"""latentlab directions: where to move w so that pictures change in one way."""

from pathlib import Path

import click

from cli.options.common import checkpoint_argument, class_option, given_options
from cli.options.measuring import Order, reporting_options
from cli.options.values import FiniteFloat, layer_list
from cli.text import counted, say

_SAMPLES, _PICTURES = 100_000, 20_000  # defaults
_PATH = click.Path(path_type=Path)
_SVM_ONLY = {
    "classifiers": "--classifier", "outputs": "--outputs", "keep": "--keep",
    "latents": "--latents", "labels": "--labels", "layer": "--layer",
}  # fmt: skip


# fmt: off
@click.command()
@checkpoint_argument
@click.option("--method", type=click.Choice(["pca", "sefa", "svm"]), default="pca",
              show_default=True, help="How directions are found, see above.")
@click.option("--samples", type=click.IntRange(2, 10_000_000), metavar="N",
              help="Samples of w that decide the directions of pca, and everyone's unit; for svm, "
              "pictures to classify. Default: 100,000, and 20,000 pictures.")
@click.option("--components", type=click.IntRange(min=1), default=10, show_default=True,
              metavar="N", help="Directions of pca and sefa.")
@click.option("--layers", type=layer_list, metavar="LAYERS",
              help="Layers that are moved unless an edit says others: coarse, middle, fine, or "
              "numbers such as 0-3,5; sefa takes these layers' weights. Default: all.")
@click.option("--classifier", "classifiers", multiple=True, metavar="FILE",
              help="For svm: classifier of pictures as for `latentlab separability`; several with "
              "the option again.")
@click.option("--outputs", type=click.Choice(["classes", "attributes"]), default="classes",
              show_default=True, help="For svm: what several outputs of one classifier are.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N",
              help="For svm: samples that count for an attribute, the most confident. Default: "
              "half; with --labels all.")
@click.option("--latents", type=_PATH, metavar="FILE|DIR",
              help="For svm, without classifier: .npz with w, or a folder of `latentlab project`.")
@click.option("--labels", type=_PATH, metavar="CSV",
              help="Labels for them, as for `latentlab separability`.")
@click.option("--layer", type=click.IntRange(min=0), metavar="N",
              help="Which w of --latents that have one a layer. Default: the last.")
@click.option("--picture", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
              metavar="SEED", help="Seed of the picture that directions.png shows moved.")
@click.option("--strength", type=FiniteFloat(min=0, min_open=True), default=3.0, show_default=True,
              metavar="S", help="How far it is moved there, either way.")
@class_option("Class of that picture, of a conditional generator.")
@reporting_options("directions.csv")
def directions(
    checkpoint: str,
    method: str,
    samples: int | None,
    components: int,
    layers: str | list[int] | None,
    classifiers: tuple[str, ...],
    outputs: str,
    keep: int | None,
    latents: Path | None,
    labels: Path | None,
    layer: int | None,
    picture: int,
    strength: float,
    label: int | None,
    order: Order,
) -> None:
    """Find directions in W for edits.

    DIR receives directions.safetensors (for `latentlab edit`), directions.csv (a row each) and
    directions.png: a picture moved along each of them, up to 20. Strengths of all methods have one
    unit, the standard deviation of w along the direction.

    \b
    Methods:
      pca    principal components of w (GANSpace)
      sefa   what changes the styles most, from the weights alone (SeFa)
      svm    normals of the planes that divide attributes, towards the
             attribute, as `latentlab separability` fits them

    \b
    Examples:
      latentlab directions model.safetensors -o directions
      latentlab directions model.safetensors --method sefa --layers 0-5 -o sefa
      latentlab directions builtin:digits-stylegan2 --method svm \\
          --classifier builtin:digits-classifier -o svm
      latentlab directions ffhq.pkl --method svm \\
          --latents projections --labels labels.csv -o svm
    """
    from cli.measuring.work import tell_dry_run
    from cli.models import open_model
    _refuse_conflicts(click.get_current_context(), method)
    from cli.measuring.directions import FILES, Search, find, identity, write
    from cli.measuring.results import Results
    from cli.measuring.separability import open_classifiers
    from cli.models import label_of
    from latentlab import distributed
    from latentlab.latents import style_layers

    model = open_model(checkpoint, order.device)
    _ = model.g.w_mean  # raises where there is no W
    numbers = None if layers is None else tuple(style_layers(layers, model.g.num_ws))
    c = label_of(model.g, label)
    search = Search(
        method, samples or (_PICTURES if classifiers else _SAMPLES), components, numbers,
        outputs, keep, latents, labels, layer,
    )
    opened = open_classifiers(classifiers, model.place)
    settings = identity(search, opened, order.seed)
    results = Results(order, f"Directions in W of {model.name}", FILES)
    if order.dry_run:
        tell_dry_run([model], settings)
        return
    with results.claimed():
        found, notes = find(model, search, opened, order, settings)
        if distributed.is_main():
            write(results, model, found, notes, settings, (picture, c, strength))
            say(f"{counted(len(found), 'direction')} in {order.output}")
# fmt: on


def _refuse_conflicts(ctx: click.Context, method: str) -> None:
    """Refuse options that exclude each other or would be ignored without a word."""
    given = given_options(ctx)
    if method != "svm":
        for name, option in _SVM_ONLY.items():
            if name in given:
                raise click.UsageError(f"{option} goes with --method svm.")
        return
    if "components" in given:
        raise click.UsageError("--components goes with pca and sefa; svm has one an attribute.")
    own = {"latents", "labels"} & given
    if len(own) == 1 or ("classifiers" in given) == bool(own):
        raise click.UsageError("--method svm takes --classifier, or --latents and --labels.")
    if "layer" in given and not own:
        raise click.UsageError("--layer goes with --latents.")
    if own and {"samples", "outputs"} & given:
        raise click.UsageError("--samples and --outputs go with a classifier.")
    keep, samples = ctx.params["keep"], ctx.params["samples"] or _PICTURES
    if keep is not None and not own and keep > samples:
        raise click.UsageError(f"--keep {keep} is more than --samples {samples}.")
