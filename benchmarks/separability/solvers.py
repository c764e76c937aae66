"""Print how far scores of the primal solver lie from those of the published dual one.

    python -m benchmarks.separability.solvers [--quick]

Both minimise the same loss; the dual solver is stopped after 1,000 passes, as published, before it
has converged, so that its score depends on its seed. Latents are Gaussian, of the dimensions and
numbers kept that are named, with standard deviations that are all 1, or in equal ratios with the
named one between the largest and the smallest. Three attributes, of classes of equal size with
correlations of 0.4, 0.7 and 0.9 between logit and plane. "Spread" is from the lowest to the highest
score of the dual solver's seeds.
"""

import click
import numpy as np

from metrics.separability.planes import fit_planes
from metrics.separability.summary import cross_fitted_in, score_in, summarise

CELLS = (
    (64, 8, 1), (64, 31, 1), (64, 31, 10), (64, 31, 30), (64, 8, 100), (64, 31, 100), (256, 8, 1),
    (256, 8, 100),
)  # fmt: skip
CORRELATIONS = np.array([0.4, 0.7, 0.9])[:, None]


def scores(d: int, each: int, ratio: float, dual: bool, seed: int) -> tuple[float, float, int]:
    """Return the score, the cross-fitted one, and how many SVMs did not converge."""
    rng = np.random.default_rng([d, each])
    z = rng.standard_normal([2 * d * each, d])
    u = rng.standard_normal([3, d])
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    noise = np.sqrt(1 - CORRELATIONS**2) * rng.standard_normal([3, len(z)])
    logits = CORRELATIONS * (u @ z.T) + noise
    x = (z * np.geomspace(ratio**-0.5, ratio**0.5, d)).astype(np.float32)
    planes = fit_planes({"w": lambda: x}, logits, d * each, dual=dual, seed=seed)
    rows, table, _ = summarise(planes, "abc", {"w": d})
    values = rows.set_index("quantity")["value"]
    failed = int((~table["converged"]).sum())
    return values[score_in("w")], values[cross_fitted_in("w")], failed


def _below(primal: float, dual: float) -> str:
    return f"{100 * (1 - primal / dual):.2f} %"


# fmt: off
@click.command()
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--quick", is_flag=True, help="The two smallest cells.")
def main(seeds: int, quick: bool) -> None:
    """Measure cell by cell, and print each as it is done."""
    print("| D x kept/D | scales | primal | dual | spread | below | cross-fitted: primal | dual "
          "| below | dual not converged |\n|" + "---|" * 10)
    for d, each, ratio in CELLS[:1] + CELLS[4:5] if quick else CELLS:
        primal, honest, _ = scores(d, each, ratio, False, 0)
        found = np.array([scores(d, each, ratio, True, seed) for seed in range(seeds)])
        dual, other, failed = found.mean(axis=0)
        cells = (
            f"{d}x{each}", f"1 to {ratio}" if ratio > 1 else "1", f"{primal:.4f}", f"{dual:.4f}",
            f"{found[:, 0].min():.4f} to {found[:, 0].max():.4f}", _below(primal, dual),
            f"{honest:.4f}", f"{other:.4f}", _below(honest, other), f"{failed:.1f} of 3",
        )
        print(f"| {' | '.join(cells)} |", flush=True)
# fmt: on


if __name__ == "__main__":
    main()
