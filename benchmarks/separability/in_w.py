"""Print how near cross-fitted entropies come in W of the bundled StyleGAN2, which is not Gaussian.

    python -m benchmarks.separability.in_w

Three attributes are planted in random directions of whitened W, where scales are most unequal, with
correlations of 0.5, 0.7 and 0.9 between logit and plane. The limit is taken from 60,000 latents,
half of them kept: as they are, and whitened, which the penalty of the SVM does not matter for.
Differences from the first are means of 12 parts of these, in bits. "Told" is how often whitened
latents are found to be divided better, which a caution then says.
"""

import click
import numpy as np

import latentlab
from metrics.separability.classifiers import draw_latents
from metrics.separability.planes import fit_planes
from metrics.separability.summary import summarise

ALL, PARTS = 60_000, (1024, 4000)
CORRELATIONS = np.array([0.5, 0.7, 0.9])


@click.command()
@click.option("--repetitions", default=12, show_default=True, type=click.IntRange(1))
def main(repetitions: int) -> None:
    """Measure parts of the latents, and print a row for each attribute."""
    g = latentlab.load("builtin:digits-stylegan2").generator
    w = draw_latents(g, "w", ALL, 1).astype(np.float64)
    rng, size = np.random.default_rng(0), {"w": w.shape[1]}
    whitening = np.linalg.cholesky(np.cov(w.T)).T
    planes = w @ np.linalg.solve(whitening, rng.standard_normal([w.shape[1], 3]))
    planes = (planes - planes.mean(axis=0)) / planes.std(axis=0)
    noise = np.sqrt(1 - CORRELATIONS**2) * rng.standard_normal(planes.shape)
    logits = (CORRELATIONS * planes + noise).T
    white = (w - w.mean(axis=0)) @ np.linalg.inv(whitening)
    limit, best = (
        summarise(fit_planes({"w": lambda x=x: x}, logits, ALL // 2), "abc", size)[1][
            "cross_fitted"
        ]
        for x in (w, white)
    )
    print("| kept | correlation | limit | whitened | fitted | cross-fitted | held out "
          "| interval holds it | told |\n" + "|---" * 9 + "|")  # fmt: skip
    for n in PARTS:
        found = []
        for _ in range(repetitions):
            part = rng.choice(ALL, n, replace=False)
            fitted = fit_planes({"w": lambda part=part: w[part]}, logits[:, part], n // 2)
            table = summarise(fitted, "abc", size)[1]
            held = (table["cross_fitted_low"] <= limit) & (table["cross_fitted_high"] >= limit)
            names = ["entropy", "cross_fitted", "held_out"]
            differences = (table[name] - limit for name in names)
            found.append([*differences, held, table["better_whitened"]])
        for i, (*values, held, told) in enumerate(np.array(found, dtype=float).mean(axis=0).T):
            cells = " | ".join(f"{value:+.3f}" for value in values)
            where = f"{n // 2:,} | {CORRELATIONS[i]} | {limit[i]:.3f} | {best[i]:.3f}"
            print(f"| {where} | {cells} | {held:.0%} | {told:.0%} |", flush=True)


if __name__ == "__main__":
    main()
