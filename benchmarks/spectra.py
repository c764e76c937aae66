"""Print what average spectra tell of the bundled generators, beside the digits they were taught.

    python -m benchmarks.spectra [--samples 2000] [--quick]

Deterministic: latents, noise and resampling follow from seed 0.
"""

import click

import latentlab
from latentlab.datasets.pictures import BUILTIN_DIGITS, open_dataset
from metrics import spectrum_of_generator, spectrum_of_pictures, spectrum_result
from metrics.aliasing.measured_spectra import EXCESS, levels_of, real_pixels

MODELS = ("builtin:digits-stylegan1", "builtin:digits-stylegan2")
QUICK = 200  # pictures


@click.command()
@click.option("--samples", type=int, default=2000, show_default=True)
@click.option("--quick", is_flag=True, help="A few pictures, to see that it runs.")
def main(samples: int, quick: bool) -> None:
    """Print a table in Markdown."""
    count = QUICK if quick else samples
    digits = open_dataset(BUILTIN_DIGITS)
    mean, std = levels_of(lambda numbers: real_pixels(digits, numbers), len(digits))
    reals = spectrum_of_pictures(digits, mean, std, count)
    rows = [("digits", spectrum_result(reals))]
    for name in MODELS:
        g = latentlab.load(name).generator
        rows.append((name, spectrum_result(spectrum_of_generator(g, mean, std, count), reals)))
    quantities = [*EXCESS, *EXCESS.values()]
    print(f"| pictures | {' | '.join(quantities)} |")
    print("|---" * (1 + len(quantities)) + "|")
    for name, result in rows:
        found = result.frame().set_index("quantity")
        cells = [
            f"{row.value:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})"
            for row in (found.loc[quantity] for quantity in quantities if quantity in found.index)
        ]
        print(f"| {name} | {' | '.join(cells + [''] * (len(quantities) - len(cells)))} |")


if __name__ == "__main__":
    main()
