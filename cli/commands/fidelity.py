"""latentlab fidelity: FID, KID, precision and recall against real pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options.measuring import METRIC_NAMES, Order, measuring_options, samples_option
from cli.text import say

if TYPE_CHECKING:
    from PIL import Image

    from latentlab import Generator
    from latentlab.datasets.pictures import Dataset
    from metrics import MetricResult

PICTURES = "pictures.png"


_FEW = 10_000  # pictures, below which FID is mostly their number
_SHOWN, _COLUMNS, _TILE, _WIDEST = 48, 6, 128, 660  # pictures of each kind; their pixels


# fmt: off
@click.command()
@click.argument("checkpoint", metavar="CKPT")
@click.option("--data", required=True, metavar="DIR|ZIP|builtin:digits",
              help="Real pictures, brought to the generator's size as for training.")
@samples_option(50_000, "Number of generated pictures, and of real ones at most.")
@click.option("--metric", "chosen", type=click.Choice(METRIC_NAMES), multiple=True,
              help="Compute this alone; may be repeated. Default: all.")
@click.option("--mirror", is_flag=True, help="Flip real pictures at random, as in training.")
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Weights of the Inception network; default: fetched once.")
@click.option("--vgg-weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Weights of VGG16, for prc; default: fetched once.")
@measuring_options
def fidelity(
    checkpoint: str,
    data: str,
    samples: int,
    chosen: tuple[str, ...],
    mirror: bool,
    weights: Path | None,
    vgg_weights: Path | None,
    order: Order,
) -> None:
    """Measure FID, KID, precision and recall.

    How near generated pictures are to real ones, by torch-fidelity (pip install
    latentlab[fidelity]). DIR receives report.csv and pictures.png (some of both). The same
    command again continues a stopped measurement.

    \b
    Metrics:
      fid   Frechet distance of Inception features: lower is nearer
      kid   kernel distance of Inception features: lower is nearer
      prc   precision, recall and their F-score, on VGG16 features

    \b
    Examples:
      latentlab fidelity ffhq.pkl --data ffhq.zip --mirror -o fidelity
      latentlab fidelity builtin:digits-stylegan2 --data builtin:digits \\
          --metric fid --metric kid --html -o fidelity
    """
    from cli.measuring.results import Results
    from cli.measuring.work import tell_dry_run, work_on
    from cli.models import open_model
    from latentlab import distributed
    from latentlab.datasets.pictures import open_dataset
    from latentlab.files import sha256_of
    from metrics import fidelity as measure
    from metrics.fidelity_networks import find_weights

    model = open_model(checkpoint, order.device)
    reals = open_dataset(data, model.g.resolution, model.g.channels)
    results = Results(order, f"Fidelity of {model.name}", [PICTURES])
    metrics = [name for name in METRIC_NAMES if name in chosen or not chosen]
    settings = {"data": reals.fingerprint, "metrics": metrics, "mirror": mirror, "seed": order.seed}
    count = min(samples, len(reals))
    if order.dry_run:
        tell_dry_run([model], {**settings, "samples": samples, "reals": count})
        return
    files = find_weights(metrics, weights, vgg_weights)
    digests = {name: sha256_of(file) for name, file in files.items()}
    with results.claimed():
        identity = {"metric": "fidelity", **settings, "weights": digests}
        with work_on(order.output, model, "fidelity", samples + count, "img", identity) as work:
            result = measure(
                model.g, reals, samples, order.seed, metrics=metrics, mirror=mirror,
                weights=weights, vgg_weights=vgg_weights, batch=order.batch, **work,
            )
        if not distributed.is_main():
            return
        for line in summary(result):
            say(line)
        results.page.lead += summary(result)
        results.page.section("Pictures")
        results.picture(PICTURES, _pictures(model.g, reals, order.seed),
                        "The first generated and the first real pictures that were compared.")
        results.finish(model.tidy(result), {**model.facts(), **result.settings,
                                            "seconds": round(result.seconds, 1)})
        say(f"See {order.output}")
# fmt: on


def summary(result: "MetricResult") -> list[str]:
    """Say the scores, and what they are worth."""
    rows = zip(result.rows["measure"], result.rows["value"], strict=True)
    names = {"fid": "FID", "kid": "KID", "f_score": "F-score"}
    scores = ", ".join(f"{names.get(name, name)} {value:.4g}" for name, value in rows)
    generated, real = result.settings["n"], result.settings["reals"]
    lines = [
        f"{scores[0].upper()}{scores[1:]}, from {generated:,} generated and {real:,} real pictures."
    ]
    if "FID" in scores and min(generated, real) < _FEW:
        lines.append("FID falls with the number of pictures: compare it at equal numbers only.")
    return lines


def _pictures(g: "Generator", reals: "Dataset", seed: int) -> "Image.Image":
    """Lay out generated and real pictures side by side."""
    import torch

    from cli.rendering.sheets import abreast
    from latentlab.images import from_uint8, grid, shrink, tensor_to_picture
    from metrics.picture_fidelity import generated_pictures
    from metrics.sampling import GROUP

    groups = [range(start, start + GROUP) for start in range(0, _SHOWN, GROUP)]
    rendered = [from_uint8(generated_pictures(g, group, seed)).cpu() for group in groups]
    sides = {
        "generated": torch.cat([shrink(images, _TILE) for images in rendered]),
        "real": torch.stack([
            shrink(reals.image(i)[None], _TILE)[0].expand(3, -1, -1)
            for i in range(min(_SHOWN, len(reals)))
        ]),
    }  # fmt: skip
    pictures = {name: tensor_to_picture(grid(side, _COLUMNS, 2)) for name, side in sides.items()}
    return abreast(pictures, _WIDEST)
