"""The comparison of the demo: a StyleGAN and a StyleGAN2 trained on the same digits."""

from pathlib import Path

from cli.comparison import Plan, measure
from cli.comparison_page import planned_files, write_comparison
from cli.measuring import Order, open_model
from cli.results import Results
from latentlab import load_classifier, perceptual_distance

PAGE = Path("comparison", "report.html")

_MODELS = ("builtin:digits-stylegan1", "builtin:digits-stylegan2")
_CLASSIFIER, _DISTANCE = "builtin:digits-classifier", "builtin:digits"
_SAMPLES = {"ppl": 2000, "separability": 4000, "contributions": 512, "droplets": 128}


def planned_results(folder: Path, device: str, overwrite: bool) -> Results:
    """Plan the files of the comparison, and refuse those that are there already."""
    order = Order(output=folder / PAGE.parent, report="report.csv", html=True, overwrite=overwrite,
                  seed=0, batch=None, device=device, dry_run=False)  # fmt: skip
    return Results(order, " and ".join(_MODELS), planned_files(len(_MODELS)))


def compare_models(results: Results, device: str) -> list[str]:
    """Measure both models and write the page; returns which is better on what."""
    plan = Plan(
        list(_SAMPLES), _SAMPLES, seed=0, protocols=["ppl2_wend"],
        distance=perceptual_distance(_DISTANCE, device),
        classifiers={_CLASSIFIER: load_classifier(_CLASSIFIER).to(device)},
    )  # fmt: skip
    settings = {"samples": _SAMPLES, **plan.identity()}
    with results.claimed():
        measured = [
            measure(open_model(name, device), name, plan, results.folder) for name in _MODELS
        ]
        return write_comparison(results, measured, settings, with_published=False)
