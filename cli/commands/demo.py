"""latentlab demo: the main jobs on the bundled models, with nothing to download."""

from pathlib import Path
from typing import Any

import click

from cli.options.common import (
    device_option,
    output_option,
    overwrite_option,
    steps_option,
    workers_option,
)
from cli.text import say

_MODEL = "builtin:digits-stylegan2"


@click.command()
@output_option
@steps_option(300)
@overwrite_option
@device_option
@workers_option
def demo(output: Path, steps: int, overwrite: bool, device: str) -> None:
    """Show the main jobs on bundled models.

    Generates digits, projects ten real ones into W and W+, and compares a StyleGAN with a
    StyleGAN2 on one page.

    The models were trained on scikit-learn's digits. A classifier judges whether a projected
    digit is still read as the digit it is, and gives the attributes of linear separability.

    \b
    Example:
      latentlab demo -o demo
    """
    from cli import demo_steps
    from cli.models import open_model
    from cli.reports.tables import refuse_existing, write_manifest, write_table
    from cli.running.announcement import announce, open_first
    from cli.running.folder_lock import claimed

    model = open_model(_MODEL, device)
    with claimed(output):
        facts: dict[str, Any] = {"checkpoint": _MODEL, "sha256": model.sha256, "steps": steps}
        projected = not overwrite and demo_steps.is_projected(output, facts)
        if not (projected or demo_steps.is_begun(output, facts)):
            refuse_existing(demo_steps.planned_files(output), overwrite)
        comparison = demo_steps.comparison_request(output, model.place, overwrite)
        table = output / demo_steps.TABLE
        if projected:
            say(f"The digits are projected already; see {output / demo_steps.FIGURE}")
        else:
            announce(
                demo_steps.tasks(model.g, steps), model.place, "Projecting and comparing digits"
            )
            write_manifest(output, facts, [])  # says that the files are this command's, if stopped
            samples = demo_steps.draw_samples(model.g, output)
            frame, files = demo_steps.project_digits(model.g, steps, output)
            write_table(frame.assign(**facts), table)
            write_manifest(output, facts, [samples, *files, table], model.place)
            for line in demo_steps.summarise(frame):
                say(line)
        demo_steps.compare_models(comparison)
        say("Look at:")
        for path in (output / demo_steps.SAMPLES, output / demo_steps.FIGURE, table):
            say(f"  {path}")
        open_first(output / demo_steps.PAGE)
