import numpy as np
import pytest

from cli.reports.plot_style import COLOURS, log_edges, new_figure, shortened, wrapped


def test_short_names_stay():
    assert shortened(["a.pkl", "b.pkl"], 10) == wrapped(["a.pkl", "b.pkl"], 10)
    assert shortened(["a.pkl"], 10) == ["a.pkl"]


def test_long_names_keep_both_ends_and_their_difference():
    names = [f"{'a' * 30}{i}{'z' * 30}.pkl" for i in range(3)]
    cut = shortened(names, 24)
    assert len(set(cut)) == 3
    assert all(len(name) <= 24 and name.startswith("aa") and "z.pkl" in name for name in cut)
    (one,) = shortened(["start" + "-" * 80 + "end"], 20)
    assert one.startswith("start")
    assert one.endswith("end")
    assert len(one) == 20


def test_a_name_given_twice_is_the_same_twice():
    long = "a" * 100
    assert len(set(shortened([long, long], 20))) == 1


@pytest.mark.parametrize(
    "name", ["x" * 60, "many words in the name of a checkpoint " * 3, "a-b" * 30]
)
def test_wrapped_names_have_few_short_lines(name):
    lines = wrapped([name], 20)[0].split("\n")
    assert len(lines) <= 4
    assert max(map(len, lines)) <= 20


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [3.0, 3.0], [0.0, 1e-9, 5.0], [2.0, 2.001]])
def test_a_logarithmic_axis_has_room_for_all_values(values):
    edges = log_edges(np.array(values), 7)
    assert len(edges) == 8
    assert edges[0] > 0
    assert edges[-1] >= 3.9 * edges[0]
    assert all(edges[0] <= value <= edges[-1] * (1 + 1e-9) for value in values if value)


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


# Machado, Oliveira and Fernandes 2009, severity 1.0, in linear RGB.
DEUTERANOPIA = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                         [-0.011820, 0.042940, 0.968881]])  # fmt: skip


def seen_by_a_deuteranope(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.clip(DEUTERANOPIA @ channels**2.2, 0, 1) ** (1 / 2.2)


def test_the_first_colours_are_told_apart_by_colour_blind_readers():
    seen = [seen_by_a_deuteranope(shade) for shade in COLOURS[:3]]
    for i, one in enumerate(seen):
        for other in seen[:i]:
            assert np.abs(one - other).sum() > 0.25
    assert all(luminance(shade) < 0.35 for shade in COLOURS[:3])  # seen on white


def test_a_figure_is_white_so_that_it_is_read_on_a_dark_page():
    assert new_figure(1.0).get_facecolor() == (1, 1, 1, 1)
