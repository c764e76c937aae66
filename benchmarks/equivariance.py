"""Print how often the 95 % intervals of EQ-T and EQ-R hold the true value, by simulation.

    python -m benchmarks.equivariance [--repeats 300] [--quick]

Squared errors of the fours that are moved alike are lognormal, of several spreads; the truth is the
mean. Deterministic: everything follows from seed 0.
"""

import math

import click
import numpy as np

from metrics.aliasing.moved_pictures import decibels
from metrics.statistics import bootstrap_rows

PICTURES = (40, 200, 1000)
SPREADS = (0.3, 0.7, 1.2)  # of the logarithm: 90 % of the errors within 2.7, 10 and 52 times
QUICK = 40


@click.command()
@click.option("--repeats", type=int, default=300, show_default=True)
@click.option("--quick", is_flag=True, help="A few repeats, to see that it runs.")
def main(repeats: int, quick: bool) -> None:
    """Print a table in Markdown: the share of intervals that hold the truth."""
    rounds = QUICK if quick else repeats
    print(f"| pictures | {' | '.join(f'spread {spread}' for spread in SPREADS)} |")
    print("|---" * (1 + len(SPREADS)) + "|")
    for pictures in PICTURES:
        cells = [f"{100 * _covered(pictures, spread, rounds):.1f} %" for spread in SPREADS]
        print(f"| {pictures:,} | {' | '.join(cells)} |", flush=True)


def _covered(pictures: int, spread: float, rounds: int) -> float:
    truth = float(decibels(np.array([math.exp(spread**2 / 2), 100.0])))
    rng, hits = np.random.default_rng([0, pictures, int(10 * spread)]), 0
    for i in range(rounds):
        errors = rng.lognormal(0, spread, pictures // 4)
        sums = np.stack([errors, np.full_like(errors, 100.0)], axis=1)[:, None]
        (found,) = bootstrap_rows(sums, decibels, seed=i)
        hits += found.ci_low <= truth <= found.ci_high
    return hits / rounds


if __name__ == "__main__":
    main()
