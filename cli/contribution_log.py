"""Contributions of each resolution while a generator is trained (Fig. 8, Karras et al. 2020)."""

from pathlib import Path

import pandas as pd

from cli.plots.contributions import over_training
from cli.plots.style import save_figure
from cli.report import write_table
from latentlab import OutputError, distributed
from latentlab.files import sha256_of
from latentlab.networks.config import StyleGAN2Config
from latentlab.training.trainer import Trainer
from metrics import contributions

TABLE, PLOT = "contributions.csv", "contributions.png"

_SAMPLES = 1024


def log_contributions(trainer: Trainer, snapshot: Path) -> None:
    """Measure a snapshot: add to contributions.csv and draw contributions.png, if it has a skip.

    Processes share the measuring, and the main one writes.
    """
    generator = trainer.config.generator
    if not isinstance(generator, StyleGAN2Config) or generator.architecture != "skip":
        return
    frame = contributions(trainer.ema_generator, _SAMPLES, trainer.seed).frame()
    if not distributed.is_main():
        return
    frame.insert(0, "images", trainer.images_seen)
    frame["sha256"] = sha256_of(snapshot)
    path = snapshot.with_name(TABLE)
    if path.exists():  # a run continued from an earlier snapshot writes its rows anew
        try:
            before = pd.read_csv(path)
            before = before[before["images"] < trainer.images_seen]
        except (OSError, ValueError, KeyError) as error:
            raise OutputError(f"{path}: cannot be read ({error}); move it away") from error
        frame = pd.concat([before, frame])
    write_table(frame, path)
    save_figure(snapshot.with_name(PLOT), over_training(frame))
