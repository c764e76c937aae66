"""Boundaries of planted attributes: the normals are found, and point to the attribute."""

import numpy as np
import pytest
import torch

import latentlab
from latentlab import DataError
from latentlab.editing.w_moments import WMoments
from metrics import linear_separability
from metrics.separability.boundaries import boundary_directions
from metrics.separability.classifiers import classify_samples, draw_latents
from metrics.separability.planes import plane_numbers
from tests.metrics.doubles import LinearGenerator


def moments(g):
    """Exact ones of a linear mapping."""
    return WMoments(g.b.detach(), (g.m @ g.m.T).detach(), 1, 0)


def planted(g, seed=0, offset=0.3):
    """A direction u [w_dim], and a classifier of pictures: the sign of u'(w - b) + offset."""
    u = np.random.default_rng(seed).standard_normal(g.w_dim)
    u /= np.linalg.norm(u)
    a = g.a.detach().numpy()
    pixels = torch.from_numpy(np.linalg.pinv(a).T @ u)  # its product with A w is u'w
    shift = offset - float(u @ g.b.detach().numpy())
    return u, lambda images: (images.double().flatten(1) @ pixels + shift)[:, None]


def found_by(g, classifiers, n=2000, **settings):
    read = classify_samples(g, classifiers, n, names=[f"c{i}" for i in range(len(classifiers))])
    w = draw_latents(g, "w", n, 0)
    return w, read, boundary_directions(w, read.logits, read.names, moments(g), **settings)


@pytest.fixture(scope="module")
def g():
    return LinearGenerator(z_dim=6, w_dim=5, seed=3)


class TestPlanted:
    def test_the_normal_is_the_attributes_direction(self, g):
        planes = [planted(g, seed) for seed in range(3)]
        w, read, found = found_by(g, [classify for _, classify in planes])
        for i, (u, _) in enumerate(planes):
            assert float(found.vectors[i].double().numpy() @ u) > 0.95
        assert found.names == ("c0", "c1", "c2")
        assert min(found.facts["accuracy"]) > 0.995
        assert (read.logits > 0).any(axis=1).all()
        positions = np.stack([found[i].positions(torch.from_numpy(w)[:, None])[:, 0]
                              for i in range(3)])  # fmt: skip
        assert ((positions > 0) == (read.logits > 0)).mean() > 0.99

    def test_it_points_to_the_attribute(self, g):
        u, classify = planted(g)
        _, _, found = found_by(g, [classify, lambda images: -classify(images)])
        assert float(found.vectors[0].double().numpy() @ u) > 0.95
        assert float(found.vectors[1].double().numpy() @ u) < -0.95

    def test_the_origin_lies_on_the_plane(self, g):
        u, classify = planted(g, offset=1.0)
        _, _, found = found_by(g, [classify], num_keep=2000)
        on_it = g.b.detach() - torch.from_numpy(u)  # u'(w - b) = -1
        assert float(found[0].positions(on_it[None, None])) == pytest.approx(0, abs=0.1)

    def test_the_unit_is_the_deviation_of_w_along_the_normal(self, g):
        _, _, found = found_by(g, [planted(g)[1]])
        n = found.vectors[0].double().numpy()
        spread = np.linalg.norm(g.m.detach().numpy().T @ n)
        assert found[0].deviation == pytest.approx(spread, rel=1e-6)

    def test_facts_are_of_the_samples_kept(self, g):
        _, read, found = found_by(g, [planted(g)[1]], num_keep=300)
        kept = np.argsort(-np.abs(read.logits[0]))[:300]
        assert found.facts["kept"] == (300,)
        assert found.facts["balance"][0] == pytest.approx((read.logits[0][kept] > 0).mean())


def test_an_attribute_of_one_class_has_no_direction():
    w = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    logits = np.stack([np.ones(100), w[:, 1], np.where(w[:, 0] > 0, np.nan, w[:, 2])])
    unit = WMoments(torch.zeros(3).double(), torch.eye(3).double(), 1, 0)
    found = boundary_directions(w, logits, ["all", "second", "partly"], unit, 100)
    assert found.names == ("second", "partly")
    assert found.facts["kept"] == (100, (w[:, 0] <= 0).sum())
    assert found.vectors[0, 1] > 0.99
    assert found.vectors[1, 2] > 0.99
    with pytest.raises(DataError, match="no plane divides them"):
        boundary_directions(w, logits[:1], ["all"], unit)


def test_planes_are_those_of_the_metric():
    g = latentlab.load("builtin:digits-stylegan2").generator
    classifier = latentlab.load_classifier("builtin:digits-classifier")
    table = linear_separability(g, [classifier], 400, spaces=["w"]).samples.set_index("attribute")
    read = classify_samples(g, [classifier], 400)
    unit = WMoments(g.w_mean.double(), torch.eye(g.w_dim).double(), 1, 0)
    kept = {}
    found = boundary_directions(
        draw_latents(g, "w", 400, 0), read.logits, read.names, unit, finished=kept
    )
    assert len(found) >= 7
    for name, accuracy, balance in zip(
        found.names, found.facts["accuracy"], found.facts["balance"], strict=True
    ):
        assert accuracy == table["accuracy"][name]
        assert balance == table["balance"][name]
    assert {part.start for part in kept} == set(plane_numbers(400, 10))
