"""Prints the standard error of FID beside the spread of repeated measurements (docs/reproduce.md).

Features are normal ones with tails of their own, so that both are known without any network.
"""

import click
import numpy as np

from metrics.fidelity_scores import fid, fid_standard_error

CASES = ((4, 200), (16, 640), (48, 200), (48, 2000))  # features, generated pictures
REALS, REPETITIONS, QUICK = 5000, 300, 40


def case(size: int, count: int, repetitions: int, seed: int) -> tuple[float, float, float]:
    """Return mean FID, the spread of repeated ones, and the mean of their standard errors."""
    rng = np.random.default_rng([seed, size, count])
    mixing = rng.standard_normal([size, size]) / np.sqrt(size)
    other = mixing + 0.3 * rng.standard_normal([size, size]) / np.sqrt(size)
    real = (rng.standard_normal([REALS, size]) @ mixing).astype(np.float32)
    found = []
    for _ in range(repetitions):
        fakes = rng.standard_normal([count, size]) @ other + 0.1
        fakes = (fakes * np.exp(0.3 * rng.standard_normal([count, 1]))).astype(np.float32)
        found.append((fid(fakes, real)[0]["value"], fid_standard_error(fakes, real)))
    scores, errors = np.array(found).T
    return float(scores.mean()), float(scores.std(ddof=1)), float(errors.mean())


@click.command()
@click.option("--quick", is_flag=True, help=f"{QUICK} repetitions.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def main(quick: bool, seed: int) -> None:
    """Print the table."""
    click.echo("| features | pictures | FID | spread | standard error | ratio |")
    click.echo("|---|---|---|---|---|---|")
    for size, count in CASES:
        mean, spread, error = case(size, count, QUICK if quick else REPETITIONS, seed)
        numbers = f"{mean:.2f} | {spread:.3f} | {error:.3f} | {error / spread:.2f}"
        click.echo(f"| {size} | {count:,} | {numbers} |")


if __name__ == "__main__":
    main()
