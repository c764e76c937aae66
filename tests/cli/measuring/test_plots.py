"""Plots of what is seldom: long names, one value, one class, nothing found; one to three models."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cli.comparing.comparison import Measured
from cli.comparing.comparison_page import _add_plots
from cli.measuring import attribution, contributions, droplets, path_length, separability_bars
from cli.reports.plot_style import colours_of
from cli.reports.tiles import tiles
from metrics import MetricResult
from metrics.separability.planes import OK, ONE_CLASS
from tests.support.figures import cut, empty_axes, overlapping, seen_texts

# Two that differ at their ends alone, and one of which a part would do.
LONG = [f"a-checkpoint-whose-name-has-sixty-characters-or-a-few-more-{i}" for i in (1, 2)]
NAMES = [*LONG, "StyleGAN2 (FFHQ)"]


FOLDERS = "/home/somebody/weights/of/networks"


def paths(values):
    samples = pd.DataFrame({"path_length": np.asarray(values, dtype=float)})
    settings = {"protocol": "ppl2_wend", "distance": "builtin:digits"}
    rows = pd.DataFrame({"value": [float(samples["path_length"].mean())]})
    return MetricResult("path_length", rows, settings, samples)


def many(seed):
    return np.random.default_rng(seed).lognormal(3, 1, 300)


def attributes(names, entropy=0.2, alone=()):
    two = {"status": OK, "entropy": entropy, "ci_low": 0.0, "ci_high": 0.3, "class_entropy": 0.5}
    one = {"status": ONE_CLASS, "entropy": 0.0, "ci_low": np.nan, "ci_high": np.nan,
           "class_entropy": 0.0}  # fmt: skip
    return pd.DataFrame([
        {"space": space, "attribute": name, **(one if name in alone else two)}
        for space in ("z", "w") for name in names
    ])  # fmt: skip


def shares(sizes):
    rows = [
        {"measure": measure, "resolution": size, "value": 100 / len(sizes)}
        for measure in ("native", "upsampled") for size in sizes
    ]  # fmt: skip
    return pd.DataFrame(rows)


def distances(generated, real):
    groups = ["generated"] * len(generated) + ["real"] * len(real)
    samples = pd.DataFrame({"group": groups, "distance": [*generated, *real], "status": "ok"})
    rows = pd.DataFrame({
        "quantity": ["auc", "threshold", "false_positive_rate", "true_positive_rate"],
        "value": [0.4, 0.2, 0.3, 0.35],
    })  # fmt: skip
    rows.loc[0, ["ci_low", "ci_high"]] = 0.2, 0.6
    return MetricResult("attribution", rows, {"distance": "builtin:digits"}, samples)


def spots(count):
    return pd.DataFrame({
        "sample": np.arange(count), "layer": "b1024.layer1", "row": 0.4, "column": 0.5,
        "area_share": 0.01, "strength": 123.4,
    })  # fmt: skip


def overlays(pictures, found):
    images, heat = torch.zeros(pictures, 3, 16, 16), torch.full((pictures, 16, 16), 3.0)
    return droplets.overlays(images, heat, range(100, 100 + pictures), spots(found), 5.0)


DIGITS = [str(i) for i in range(10)]
ATTRIBUTES = [*LONG, "smile"]
BEFORE, AFTER = (shares([4, 8, 16]).assign(images=images) for images in (1000, 2_000_000))
FIGURES = {
    "paths of one model": lambda: path_length.histogram({LONG[0]: paths(many(0))}),
    "paths of two models": lambda: path_length.histogram({n: paths(many(0)) for n in LONG}),
    "paths of three models": lambda: path_length.histogram(
        {name: paths(many(i)) for i, name in enumerate(NAMES)}
    ),
    "one path": lambda: path_length.histogram({"m": paths([2.841])}),
    "paths of no length": lambda: path_length.histogram({"m": paths([0, 0])}),
    "paths of many sizes": lambda: path_length.histogram({"m": paths([1e-9, 1e-3, 1, 1e6])}),
    "attributes": lambda: separability_bars.bars(attributes(ATTRIBUTES)),
    "one attribute of one class": lambda: separability_bars.bars(attributes(["a"], alone=["a"])),
    "attributes divided": lambda: separability_bars.bars(attributes(DIGITS, 0.0, alone=["1"])),
    "one model's attributes": lambda: separability_bars.compared({"m": attributes(DIGITS)}),
    "models' attributes": lambda: separability_bars.compared(
        {name: attributes(ATTRIBUTES, 0.1 * i) for i, name in enumerate(NAMES)}
    ),
    "one class everywhere": lambda: separability_bars.compared(
        {name: attributes(["a"], alone=["a"]) for name in NAMES}
    ),
    "all divided": lambda: separability_bars.compared({n: attributes(DIGITS, 0.0) for n in NAMES}),
    "no attribute in common": lambda: separability_bars.compared(
        {name: attributes([name]) for name in NAMES}
    ),
    "the only path": lambda: tiles({"the only one": [(torch.zeros(1, 8, 8), "2.84")]}),
    "pairs": lambda: tiles(
        {
            f"{group},\nfarthest": [(torch.zeros(1, 8, 8), "IMG_2…034.jpg")] * 8
            for group in ("generated", "real")
        }
    ),
    "shares": lambda: contributions.bars({"m": shares([4, 8, 16])}),
    "shares of many resolutions": lambda: contributions.bars(
        {name: shares([2**i for i in range(2, 9 + i)]) for i, name in enumerate(NAMES)}
    ),
    "shares of one snapshot": lambda: contributions.over_training(BEFORE),
    "shares over training": lambda: contributions.over_training(pd.concat([BEFORE, AFTER])),
    "distances": lambda: attribution.histogram(distances(many(0), many(1))),
    "one distance": lambda: attribution.histogram(distances([0.2], [0.2])),
    "distances of nothing": lambda: attribution.histogram(distances([0, 0], [0])),
    "curve": lambda: attribution.roc_curve(distances(many(0), many(1))),
    "curve of two": lambda: attribution.roc_curve(distances([0.2], [0.1])),
    "droplets": lambda: overlays(9, 9),
    "few droplets": lambda: overlays(4, 1),
    "no droplets": lambda: overlays(1, 0),
}


@pytest.fixture(params=FIGURES, scope="module")
def figure(request) -> Figure:
    return FIGURES[request.param]()


def test_no_text_of_a_plot_covers_another_or_is_cut(figure):
    assert overlapping(figure) == []
    assert cut(figure) == []


def test_no_axes_are_empty(figure):
    assert empty_axes(figure) == []


def test_a_scale_has_numbers(figure):
    words = {text.get_text() for text in seen_texts(figure)}
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log" and axes.axison:
                assert words & {label.get_text() for label in axis.get_majorticklabels()}


def shades(figure):
    """The colours of filled bars and areas."""
    return {to_hex(patch.get_facecolor()) for axes in figure.axes for patch in axes.patches}


def test_a_model_keeps_its_colour_where_another_is_missing():
    colours = colours_of(NAMES)
    found = {name: paths(many(0)) for name in NAMES[1:]}
    assert colours[NAMES[0]].lower() not in shades(path_length.histogram(found, colours))
    tables = {name: attributes(DIGITS) for name in NAMES[1:]}
    wanted = {colours[name].lower() for name in NAMES[1:]}
    assert shades(separability_bars.compared(tables, colours)) == wanted


def test_a_comparison_gives_each_model_one_colour():
    table = SimpleNamespace(metric="separability", samples=attributes(DIGITS))
    models = [
        Measured(SimpleNamespace(short_name=name), [*lengths, table], {})
        for name, lengths in zip(NAMES, ([], [paths([1.0])], [paths([2.0])]), strict=True)
    ]
    drawn = {}
    results = SimpleNamespace(
        page=SimpleNamespace(section=lambda *_: None),
        figure=lambda name, figure, caption: drawn.setdefault(name, figure),
    )
    _add_plots(results, models)
    lines = {to_hex(line.get_color()) for line in drawn["path_lengths.png"].axes[0].lines}
    wanted = [each.lower() for each in colours_of(NAMES).values()]
    assert lines == set(wanted[1:])
    assert shades(drawn["separability.png"]) == set(wanted)


def test_what_a_plane_leaves_nothing_of_is_seen_and_one_class_is_not_a_zero():
    tables = {"a": attributes(DIGITS, 0.0), "b": attributes(DIGITS, 0.1, alone=["1"])}
    figure = separability_bars.compared(tables)
    markers = {
        (line.get_marker(), to_hex(line.get_color())): len(line.get_xdata())
        for line in figure.axes[0].lines
    }
    colours = {name: shade.lower() for name, shade in colours_of(list(tables)).items()}
    assert markers == {("o", colours["a"]): 10, ("x", colours["b"]): 1}
    assert "one class only" in {text.get_text() for text in seen_texts(figure)}


def test_plots_name_files_and_not_folders():
    result = distances(many(0), many(1))
    result.settings["distance"] = f"{FOLDERS}/vgg16.pt"
    label = attribution.histogram(result).axes[0].get_xlabel()
    assert label == "distance to the projection (vgg16.pt), logarithmic"
    pixels = np.zeros((2, 3, 8, 8), np.uint8)
    samples = pd.DataFrame({"group": ["generated", "real"], "distance": 0.2, "status": "ok"})
    found = SimpleNamespace(samples=samples, targets=pixels, projected=pixels)
    drawn = attribution.examples(found, ["generated 0", f"{FOLDERS}/one.png"])
    shown = {text.get_text() for text in seen_texts(drawn)}
    assert {"generated 0", "one.png", "0.2"} <= shown
    assert not any("somebody" in text for text in shown)
    captions = {}
    results = SimpleNamespace(
        page=SimpleNamespace(section=lambda *_: None),
        figure=lambda name, _, caption: captions.setdefault(name, caption),
    )
    lengths = paths([1.0])
    lengths.settings["distance"] = result.settings["distance"]
    _add_plots(results, [Measured(SimpleNamespace(short_name="m"), [lengths], {})])
    assert captions["path_lengths.png"].endswith("(ppl2_wend, distance vgg16.pt).")
