"""StyleGAN-XL's networks against plain float64 computations."""

import copy

import numpy as np
import pytest
import torch

import latentlab
from latentlab import LatentError, SettingsError
from latentlab.latents import w_statistics
from latentlab.networks.stylegan_xl_config import LayerRow, StyleGANXLConfig
from tests.conftest import make_stylegan3, make_stylegan_xl
from tests.support.generators import stylegan_xl_reference as reference
from tests.support.tolerances import FLOAT64

RADIAL = {"conv_kernel": 1, "use_radial_filters": True}  # config R


def draw(n, width):
    return torch.from_numpy(np.random.default_rng(0).standard_normal([n, width]))


def weights_of(g):
    return {key: value.double().numpy() for key, value in g.state_dict().items()}


@pytest.mark.parametrize("classes", [None, [2, 0, 2]])
def test_w_equals_a_float64_computation(classes):
    g = make_stylegan_xl(c_dim=3 if classes else 0).double()
    z, c = draw(3, 6), None if classes is None else torch.eye(3)[classes]
    for psi in (1.0, 0.7):
        expected = reference.mapping(weights_of(g), z.numpy(), classes, psi)
        found = g.mapping(z, c, psi)
        assert found.shape == (3, 6, 5)
        np.testing.assert_allclose(found[:, 5], expected, atol=FLOAT64, rtol=0)
    cut = g.mapping(z, c, 0.7, 2)
    assert torch.equal(cut[:, :2], found[:, :2])
    assert torch.equal(cut[:, 2:], g.mapping(z, c)[:, 2:])


@pytest.mark.parametrize("settings", [{}, RADIAL])
def test_layers_of_a_table_are_those_of_stylegan3(settings):
    g, like = make_stylegan_xl(**settings), make_stylegan3(**settings)
    assert g.config.layers()[0].name == like.config.layers()[0].name
    ws = draw(2, 5)[:, None].repeat(1, 6, 1).float()
    assert torch.equal(g.synthesis(ws), like.synthesis(ws))


def test_each_class_has_a_centre_and_the_mean_of_w_is_that_of_the_centres():
    g = make_stylegan_xl()
    assert g.mapping.w_avg.shape == (3, 5)
    assert torch.equal(g.w_mean, g.mapping.w_avg.mean(dim=0))
    z = draw(3, 6)
    centres = g.mapping(z, torch.eye(3), truncation_psi=0.0)[:, 0]
    assert torch.equal(centres, g.mapping.w_avg)
    alone = make_stylegan_xl(c_dim=0)
    assert torch.equal(alone.w_mean, alone.mapping.w_avg)


def test_what_takes_the_mean_of_w_works():
    g = make_stylegan_xl()
    mean, _ = w_statistics(g, samples=64)
    assert mean.shape == (5,)
    target = g(draw(1, 6), torch.eye(3)[:1])
    result = latentlab.project(
        g, target, lambda a, b: (a - b).square().mean(dim=[1, 2, 3]), c=torch.eye(3)[:1], steps=2
    )
    assert result.ws.shape == (1, 6, 5)


@pytest.mark.parametrize(
    "label", [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [1.0, 1.0, 0.0]]
)
def test_labels_between_classes_are_refused(label):
    with pytest.raises(LatentError, match="labels must be one-hot"):
        make_stylegan_xl()(draw(1, 6), torch.tensor([label]))


def test_a_label_is_needed():
    with pytest.raises(LatentError, match="needs `c`"):
        make_stylegan_xl()(draw(1, 6))
    with pytest.raises(LatentError, match="`c` must have shape"):
        make_stylegan_xl()(draw(1, 6), torch.eye(4)[:1])


def test_it_can_be_copied():
    g = make_stylegan_xl()
    z, c = draw(2, 6), torch.eye(3)[:2]
    assert torch.equal(copy.deepcopy(g)(z, c), g(z, c))


# A config.

ROW = LayerRow(0, 36, 8, 3, 2, 2, 12, 12, 0)
RGB = LayerRow(7, 16, 3, 1, 1, 1, 0, 0, 0)
LAST = LayerRow(6, 16, 8, 3, 2, 2, 12, 12, 0)


def config(**changes):
    settings = {
        "resolution": 16, "layer_table": (ROW, LAST, RGB), "input_size": 36, "input_rate": 16,
        "input_cutoff": 2.0, "input_maps": 8,
    }  # fmt: skip
    return StyleGANXLConfig(**{**settings, **changes})


def test_a_config_of_plain_rows_is_the_same():
    assert config(layer_table=tuple(map(tuple, (ROW, LAST, RGB)))) == config()
    assert config().num_ws == 4


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"label_table": (3, 4)}, "label_table"),
        ({"c_dim": 3}, "label_table"),
        ({"c_dim": 3, "label_table": (2, 4)}, "label_table"),  # fewer rows than classes
        ({"c_dim": 3, "label_table": (3, 4, 5)}, "label_table"),
        ({"label_input": "concat"}, "label_input"),
        ({"input_size": 0}, "input_size"),
        ({"input_rate": 2.0}, "input_rate"),
        ({"input_cutoff": 8}, "input_cutoff"),
        ({"input_cutoff": float("nan")}, "input_cutoff"),
        ({"input_maps": 2**40}, "input_maps"),
        ({"layer_table": None}, "layer_table"),
        ({"layer_table": (RGB,)}, "layer_table"),
        ({"layer_table": (ROW, LAST)}, "layer_table"),  # no RGB layer
        ({"layer_table": (LAST, ROW, RGB)}, "layer_table"),  # numbers that fall
        ({"layer_table": (ROW, RGB._replace(number=0))}, "layer_table"),
        ({"layer_table": (ROW._replace(up=1), RGB)}, "layer_table"),  # taps without a factor
        ({"layer_table": (ROW._replace(down_taps=0), RGB)}, "layer_table"),
        ({"layer_table": (ROW._replace(down=1, down_taps=0, radial=1), RGB)}, "layer_table"),
        ({"layer_table": (ROW._replace(up=4, up_taps=24), RGB)}, "layer_table"),  # rate 32
        ({"layer_table": (ROW._replace(up=3), RGB)}, "layer_table"),
        ({"layer_table": (ROW._replace(size="36"), RGB)}, "layer_table"),
        ({"layer_table": (ROW, (7, 16, 3)), "resolution": 16}, "layer_table"),
        ({"layer_table": (ROW, RGB._replace(maps=4))}, "layer_table"),
        ({"output_scale": 0}, "output_scale"),
        ({"conv_clamp": -1}, "conv_clamp"),
    ],
)
def test_settings_that_do_not_fit(changes, field):
    with pytest.raises(SettingsError, match=f"`{field}` must be"):
        config(**changes)
