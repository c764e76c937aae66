"""latentlab demo: the main job on the bundled models, with nothing to download."""

from pathlib import Path
from typing import Any

import click

from cli.options.common import device_option, output_option, overwrite_option, steps_option
from cli.text import say

_MODEL = "builtin:digits-stylegan2"


@click.command()
@output_option
@steps_option(300)
@overwrite_option
@device_option
def demo(output: Path, steps: int, overwrite: bool, device: str) -> None:
    """Show the main jobs on bundled models.

    Generates digits, projects ten real ones into W and W+, and compares a StyleGAN with a
    StyleGAN2 on one page.

    The models were trained on scikit-learn's digits; a classifier judges whether a digit is
    still read as what it is, and gives the attributes of linear separability.

    \b
    Example:
      latentlab demo -o demo
    """
    from cli.demo_steps import (
        FIGURE,
        PAGE,
        TABLE,
        compare_models,
        draw_samples,
        planned_files,
        planned_results,
        project_digits,
        summarise,
    )
    from cli.models import resolve_device
    from cli.reports.tables import refuse_existing, write_manifest, write_table
    from latentlab import load
    from latentlab.files import make_directory

    opened = load(_MODEL)
    place = resolve_device(device)
    g = opened.generator.to(place)
    refuse_existing(planned_files(output), overwrite)
    results = planned_results(output, place, overwrite)
    folder = make_directory(output)
    table = folder / TABLE
    samples = draw_samples(g, folder)
    frame, files = project_digits(g, steps, folder)
    facts: dict[str, Any] = {"checkpoint": _MODEL, "sha256": opened.sha256, "steps": steps}
    write_table(frame.assign(**facts), table)
    write_manifest(folder, facts, [samples, *files, table])
    for line in [*summarise(frame), *compare_models(results, place)]:
        say(line)
    say("Look at:")
    for path in (samples, folder / FIGURE, table, folder / PAGE):
        say(f"  {path}")
