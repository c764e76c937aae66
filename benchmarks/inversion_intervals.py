"""What the intervals of `latentlab inversion-report` cover, and how often equal methods differ.

Prints the share of simulations in which the 95 % interval of a mean holds the truth (and on which
side it misses), for values as measures have them, and the share in which two equal methods are
called different, which should be 5 %. Pairs of methods share how hard a picture is.

    python benchmarks/inversion_intervals.py [--quick]
"""

from collections.abc import Callable

import click
import numpy as np
from numpy.typing import NDArray

from metrics.picture_pairs.intervals import mean_uncertainty

REPETITIONS = 500
COUNTS = (6, 12, 50, 500)

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

# Values with their true means: PSNR is near normal, MSE and LPIPS have a long tail.
KINDS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, n: rng.normal(0, 1, n), 0.0),
    "gamma (shape 4)": (lambda rng, n: rng.gamma(4, 1, n), 4.0),
    "lognormal (0.5)": (lambda rng, n: rng.lognormal(0, 0.5, n), float(np.exp(0.125))),
    "lognormal (1)": (lambda rng, n: rng.lognormal(0, 1, n), float(np.exp(0.5))),
}


def covered(kind: str, n: int, repetitions: int) -> tuple[float, float, float, float]:
    """Return the shares of intervals that hold the truth, and lie above or below it.

    The last is the share of plain percentile intervals that hold it.
    """
    draw, truth = KINDS[kind]
    inside = above = below = plain = 0
    for seed in range(repetitions):
        values = draw(np.random.default_rng([n, seed]), n)
        found = mean_uncertainty(values, seed)
        inside += found.ci_low <= truth <= found.ci_high
        above += found.ci_low > truth
        below += found.ci_high < truth
        rng = np.random.default_rng([seed, 1])
        means = values[rng.integers(n, size=(1000, n))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        plain += low <= truth <= high
    return tuple(100 * each / repetitions for each in (inside, above, below, plain))  # type: ignore[return-value]


def called_different(n: int, repetitions: int) -> float:
    """Return the share of pairs of equal methods whose paired interval leaves out zero."""
    wrong = 0
    for seed in range(repetitions):
        rng = np.random.default_rng([n, seed, 2])
        hard = rng.lognormal(0, 1, n)
        a, b = (hard * rng.lognormal(0, 0.2, n) for _ in range(2))
        found = mean_uncertainty(a - b, seed)
        wrong += found.ci_low > 0 or found.ci_high < 0
    return 100 * wrong / repetitions


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of the simulations.")
def main(quick: bool) -> None:
    """Print both tables."""
    repetitions = REPETITIONS // 10 if quick else REPETITIONS
    error = 100 * float(np.sqrt(0.05 * 0.95 / repetitions))
    print(f"{repetitions} simulations each, so that 95 is known to {error:.1f} (standard error)\n")
    print("| values | pictures | covered (%) | above (%) | below (%) | plain percentile (%) |")
    print("|---|---|---|---|---|---|")
    for kind in KINDS:
        for n in COUNTS:
            cells = " | ".join(f"{each:.1f}" for each in covered(kind, n, repetitions))
            print(f"| {kind} | {n} | {cells} |", flush=True)
    print("\n| pictures | equal methods called different (%) |\n|---|---|")
    for n in COUNTS:
        print(f"| {n} | {called_different(n, repetitions):.1f} |", flush=True)


if __name__ == "__main__":
    main()
