"""latentlab contributions: the share of each resolution in a skip generator's output."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options.measuring import Order, measuring_options, samples_option
from cli.text import counted, plain_text, say

if TYPE_CHECKING:
    import pandas as pd

    from cli.measuring.results import Results
    from cli.models import Model

PLOT = "contributions.png"

_PARTLY_BAD = 4  # exit code
_SNAPSHOTS = ("snapshot-*.safetensors", "network-snapshot-*.pkl")


# fmt: off
@click.command()
@click.argument("checkpoints", nargs=-1, required=True, metavar="CKPT...")
@samples_option(1024, "Number of latents.")
@measuring_options
def contributions(checkpoints: tuple[str, ...], samples: int, order: Order) -> None:
    """Measure the share of each resolution.

    For generators of StyleGAN2's skip architecture, which add up an RGB image of every
    resolution. A folder stands for the snapshots in it: where all tell how many images they
    were trained on, the plot shows the shares over the training.

    Shares are of the standard deviations of the images that are added up, as they come and
    upsampled to full size. DIR receives report.csv and contributions.png.

    \b
    Examples:
      latentlab contributions builtin:digits-stylegan2 -o shares
      latentlab contributions runs/photos --html -o shares
      latentlab contributions network-snapshot-005000.pkl \\
          network-snapshot-025000.pkl -o shares
    """
    from cli.measuring.results import Results
    from cli.measuring.work import tell_dry_run, work_on
    from cli.models import open_model
    from latentlab import LatentError, distributed
    from metrics import contributions as measure

    names = list(_expanded(checkpoints))
    results = Results(order, "Contribution of each resolution", [PLOT])
    settings = {"samples": samples, "seed": order.seed}
    if order.dry_run:
        tell_dry_run([open_model(name, order.device) for name in names], settings)
        return
    parts, refused, models = [], [], []
    with results.claimed():
        for name in names:
            model = open_model(name, order.device)
            label, identity = Path(name).name, {"metric": "contributions", "seed": order.seed}
            try:
                with work_on(order.output, model, label, samples, "image", identity) as work:
                    result = measure(model.g, samples, order.seed, batch=order.batch, **work)
            except LatentError as error:
                if len(names) == 1:
                    raise
                refused.append(f"{model.name}: {error}")
                continue
            parts.append(model.tidy(result).assign(images=model.opened.images_shown))
            models.append(model)
        if not distributed.is_main():
            return
        if not parts:
            raise LatentError(f"none of {len(names)} is of the skip architecture; {refused[0]}")
        _write(results, models, parts, refused, settings)
    for line in refused:
        say(f"Left out: {line}")
    say(f"{counted(len(parts), 'model')} measured; see {order.output}")
    if refused:
        raise click.exceptions.Exit(_PARTLY_BAD)
# fmt: on


def _expanded(checkpoints: tuple[str, ...]) -> Iterator[str]:
    """Yield checkpoints, with a folder replaced by the snapshots in it."""
    for name in checkpoints:
        if not Path(name).is_dir():
            yield name
            continue
        files = sorted(file for pattern in _SNAPSHOTS for file in Path(name).glob(pattern))
        files = [file for file in files if ".optimizer." not in file.name]
        if not files:
            raise click.BadParameter(
                f"{plain_text(name)}: no snapshots in this folder", param_hint="CKPT"
            )
        yield from map(str, files)


def _write(
    results: "Results",
    models: "list[Model]",
    parts: "list[pd.DataFrame]",
    refused: list[str],
    settings: dict[str, int],
) -> None:
    """Write plot, table and page."""
    import pandas as pd

    from cli.measuring.contributions import bars, over_training

    rows = pd.concat(parts, ignore_index=True)
    is_run = len(parts) > 1 and bool(rows["images"].notna().all()) and rows["images"].nunique() > 1
    rows = rows.dropna(axis=1, how="all") if rows["images"].isna().all() else rows
    figure = (
        over_training(rows)
        if is_run
        else bars({model.name: part for model, part in zip(models, parts, strict=True)})
    )
    results.page.section("Shares", *(f"Left out: {line}." for line in refused))
    results.figure(PLOT, figure, "Standard deviation of the pixels that each resolution adds, as "
                   "a share of their sum (StyleGAN2 paper, Fig. 8).")  # fmt: skip
    results.finish(rows, {"models": [model.facts() for model in models], **settings})
