"""latentlab train-classifier: the small digit classifier."""

from pathlib import Path

import click

from cli.options.common import overwrite_file_option, seed_option, threads_option
from cli.running.progress import ProgressBar
from cli.text import counted, say


# fmt: off
@click.command("train-classifier")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.safetensors")
@click.option("--epochs", type=click.IntRange(min=1), default=60, show_default=True, metavar="N",
              help="Passes over the training digits.")
@seed_option("Seed of the weights and the order of the digits.")
@overwrite_file_option
@threads_option
def train_classifier(out: Path, epochs: int, seed: int, overwrite: bool) -> None:
    """Train the classifier of digits.

    Prints the accuracy on the held-out digits at the end. The logits serve as ten attributes,
    the features as the distance builtin:digits.

    \b
    Example:
      latentlab train-classifier digits-classifier.safetensors
    """
    from cli.reports.tables import refuse_existing
    from cli.running.announcement import place_in_words
    from cli.running.folder_lock import claimed_file
    from cli.threads import settle_threads
    from latentlab.checkpoints.native import write_native
    from latentlab.training.digit_classifier import ClassifierSettings, accuracy
    from latentlab.training.digit_classifier import train_classifier as run

    with claimed_file(out):
        refuse_existing([out], overwrite)
        settle_threads(small=True)
        settings = ClassifierSettings(epochs=epochs, seed=seed)
        place = place_in_words("cpu")
        say(f"Training a classifier of the bundled digits, {counted(epochs, 'epoch')}, on {place}.")
        with ProgressBar(epochs, "training", unit="epoch") as bar:
            model = run(settings, lambda _, loss: bar.advance(loss=loss))
        held_out = accuracy(model)
        training = {"data": "builtin:digits", "epochs": epochs, "seed": seed}
        facts = {"training": training, "held_out_accuracy": held_out}
        write_native({"classifier": model}, out, facts)
        say(f"Saved {out}; {100 * held_out:.2f} % of the held-out digits are read correctly.")
# fmt: on
