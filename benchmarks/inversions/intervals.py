"""What the intervals of `latentlab inversion-report` cover, and how often equal methods differ.

Prints the share of simulations in which the 95 % interval of a mean holds the truth (and on which
side it misses), for values as measures have them, and the share in which two equal methods are
called different, which should be 5 %. Pairs of methods share how hard a picture is.

    python -m benchmarks.inversions.intervals [--quick]
"""

from collections.abc import Callable

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import head, row
from metrics.picture_pairs.intervals import difference_uncertainty, mean_uncertainty

REPETITIONS = 400
COUNTS = (6, 12, 50, 200)

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

# Values with their true means: PSNR is near normal, MSE and LPIPS have a long tail.
KINDS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, n: rng.normal(0, 1, n), 0.0),
    "gamma (shape 4)": (lambda rng, n: rng.gamma(4, 1, n), 4.0),
    "lognormal (0.5)": (lambda rng, n: rng.lognormal(0, 0.5, n), float(np.exp(0.125))),
    "lognormal (1)": (lambda rng, n: rng.lognormal(0, 1, n), float(np.exp(0.5))),
}


def covered(kind: str, n: int, repetitions: int) -> list[float]:
    """Return the shares of intervals of a mean that hold the truth, or lie above or below it.

    The last is the share of Student's intervals that hold it.
    """
    draw, truth = KINDS[kind]
    counts = np.zeros(4)
    for seed in range(repetitions):
        values = draw(np.random.default_rng([n, seed]), n)
        found, other = mean_uncertainty(values, seed), difference_uncertainty(values)
        counts += [
            found.ci_low <= truth <= found.ci_high, found.ci_low > truth, found.ci_high < truth,
            other.ci_low <= truth <= other.ci_high,
        ]  # fmt: skip
    return [*(100 * counts / repetitions)]


def called_different(n: int, repetitions: int) -> list[float]:
    """Return the share of pairs of equal methods whose difference's interval leaves out zero.

    By Student's interval, as the report has it, and by that of a mean.
    """
    counts = np.zeros(2)
    for seed in range(repetitions):
        rng = np.random.default_rng([n, seed, 2])
        hard = rng.lognormal(0, 1, n)
        a, b = (hard * rng.lognormal(0, 0.2, n) for _ in range(2))
        both = difference_uncertainty(a - b), mean_uncertainty(a - b, seed)
        counts += [each.ci_low > 0 or each.ci_high < 0 for each in both]
    return [*(100 * counts / repetitions)]


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of the simulations.")
def main(quick: bool) -> None:
    """Print both tables."""
    repetitions = REPETITIONS // 10 if quick else REPETITIONS
    error = 100 * float(np.sqrt(0.05 * 0.95 / repetitions))
    click.echo(
        f"{repetitions} simulations each, so that 95 is known to {error:.1f} (standard error)"
    )
    head("", "values", "pictures", "covered (%)", "above (%)", "below (%)", "Student's covers (%)")
    for kind in KINDS:
        for n in COUNTS:
            row(kind, n, *(f"{each:.1f}" for each in covered(kind, n, repetitions)))
    head("", "pictures", "equal methods called different (%)", "by the interval of a mean (%)")
    for n in COUNTS:
        row(n, *(f"{each:.1f}" for each in called_different(n, repetitions)))


if __name__ == "__main__":
    main()
