"""latentlab directions: where to move w so that pictures change in one way."""

import click

from cli.options.common import (
    any_checkpoint_option,
    checkpoint_argument,
    class_option,
    given_options,
)
from cli.options.measuring import (
    ELSEWHERE,
    AttributesRequest,
    MeasuringRequest,
    attributes_options,
    measuring_options,
)
from cli.options.values import Count, FiniteFloat, Seed, layer_list

_SAMPLES, _PICTURES = 100_000, 20_000  # defaults
_SVM_ONLY = ("classifiers", "outputs", "keep", "latents", "labels", "layer")


# fmt: off
@click.command()
@checkpoint_argument
@click.option("--method", type=click.Choice(["pca", "sefa", "svm"]), default="pca",
              show_default=True, help='How directions are found, see "Methods" above.')
@click.option("--samples", type=Count(2, 10_000_000), metavar="N",
              help="Samples of w that decide the directions of pca, and the unit of all; for svm, "
              "pictures to classify. Default: 100,000, and 20,000 pictures.")
@click.option("--components", type=click.IntRange(min=1), default=10, show_default=True,
              metavar="N", help="Directions of pca and sefa.")
@click.option("--layers", type=layer_list, metavar="LAYERS",
              help="Layers that are moved unless an edit names others: coarse, middle, fine, or "
              "numbers such as 0-3,5; sefa takes these layers' weights. Default: all.")
@attributes_options(" for svm", ELSEWHERE, "w")
@any_checkpoint_option
@click.option("--picture", type=Seed(), default=0, show_default=True,
              metavar="SEED", help="Seed of the picture that directions.png shows moved.")
@click.option("--strength", type=FiniteFloat(min=0, min_open=True), default=3.0, show_default=True,
              metavar="S", help="How far it is moved there, either way.")
@class_option("Class of that picture, of a conditional generator.")
@measuring_options("directions.csv")
def directions(
    checkpoint: str,
    method: str,
    samples: int | None,
    components: int,
    layers: str | list[int] | None,
    attributes: AttributesRequest,
    any_checkpoint: bool,
    picture: int,
    strength: float,
    label: int | None,
    request: MeasuringRequest,
) -> None:
    """Find directions in W for edits.

    DIR receives directions.safetensors (for `latentlab edit`), directions.csv (one row each) and
    directions.png: a picture moved along each of them, up to 20. Strengths have one unit in
    all methods, the standard deviation of w along the direction.

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
    _refuse_conflicts(click.get_current_context(), method, attributes)
    (name,) = request.titles([checkpoint])
    from cli.measuring import directions as ways
    from cli.measuring.labelled_latents import read_labelled
    from cli.measuring.separability import by_several, check_sizes, open_classifiers
    from cli.measuring.work import claimed_results, sampling
    from cli.models import label_of, open_model
    from cli.projecting.origin import check_origins
    from cli.running.estimates import Task
    from latentlab import distributed
    from latentlab.latents import style_layers

    model = open_model(checkpoint, request.device, None, name)
    _ = model.g.w_mean  # raises where there is no W
    numbers = None if layers is None else tuple(style_layers(layers, model.g.num_ws))
    c = label_of(model.g, label)
    count = samples or (_PICTURES if attributes.classifiers else _SAMPLES)
    own = attributes.labelled and read_labelled(*attributes.labelled, "w", attributes.layer)
    check_origins(own.origins if own else {}, model, any_checkpoint)
    wanted = ways.DirectionSettings(method, count, components, numbers, attributes, own)
    opened = open_classifiers(attributes.classifiers, model.place)
    check_sizes(opened, model.g)
    settings = ways.identity(wanted, opened, request.seed)
    title = f"Directions in W of {model.short_name}"
    by = by_several(opened)
    tasks = [sampling(model, request, "Classifying", count, "picture", more=by) if opened else
             Task("Dividing" if own else "Sampling", len(own.latents) if own else count, "latent")]
    shown = {"picture": picture, "class": label, "strength": strength}
    asked = ways.asked_for(wanted, settings, model, shown)
    with claimed_results(request, title, ways.FILES, [model], settings, tasks=tasks,
                         asked=asked) as results:
        before = ways.found_before(results, model.g.w_dim)
        found, notes = before or ways.find(model, wanted, opened, request, settings)
        if distributed.is_main():
            ways.write(results, model, found, notes, settings, (picture, c, strength))
# fmt: on


def _refuse_conflicts(ctx: click.Context, method: str, attributes: AttributesRequest) -> None:
    """Refuse options that exclude each other or would be ignored without a word."""
    given = given_options(ctx)
    if method != "svm":
        for name in _SVM_ONLY:
            if name in given:
                option = "classifier" if name == "classifiers" else name
                raise click.UsageError(f"--{option} goes with --method svm.")
        return
    if "components" in given:
        raise click.UsageError("--components goes with pca and sefa; svm has one per attribute.")
    attributes.refuse_conflicts(
        "--method svm takes --classifier, or --latents and --labels.",
        ctx.params["samples"] or _PICTURES,
    )
    if attributes.latents and {"samples", "outputs"} & given:
        raise click.UsageError("--samples and --outputs go with a classifier.")
