"""What the bundled models must do; every promise of the README about them is here."""

import tomllib
from pathlib import Path

import pytest
import torch

import latentlab
from latentlab import CheckpointError
from latentlab.datasets.digits import digits, one_of_each
from latentlab.images import pixels_to_tensor
from latentlab.latents import draw_z
from latentlab.models import builtin_names, builtin_path

GENERATOR, CLASSIFIER = "builtin:digits-stylegan2", "builtin:digits-classifier"
GENERATORS = [GENERATOR, "builtin:digits-stylegan1"]
PROJECTION_STEPS = 60  # of many more that users take
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", params=GENERATORS)
def g(request):
    return latentlab.load(request.param).generator


@pytest.fixture(scope="module")
def classifier():
    return latentlab.load_classifier(CLASSIFIER)


def test_names_and_size():
    assert {*GENERATORS, CLASSIFIER} == set(builtin_names())
    total = sum(builtin_path(name).stat().st_size for name in builtin_names())
    assert total < 4_000_000


@pytest.mark.parametrize("name", ["builtin:nothing", "builtin:", "builtin:../errors"])
def test_an_unknown_name_lists_the_known(name):
    with pytest.raises(CheckpointError, match="builtin:digits-stylegan2"):
        latentlab.load(name)


def test_a_classifier_is_no_generator_and_the_reverse():
    with pytest.raises(CheckpointError, match="no generator"):
        _ = latentlab.load(CLASSIFIER).generator
    with pytest.raises(CheckpointError, match="no classifier"):
        latentlab.load_classifier(GENERATOR)


def test_samples_are_read_with_confidence_and_all_digits_appear(g, classifier):
    z = draw_z(range(500), g.z_dim, seed=0)
    probabilities = classifier.probabilities(g(z))
    assert probabilities.amax(dim=1).mean() > 0.9
    assert set(probabilities.argmax(dim=1).tolist()) == set(range(10))


def test_samples_are_grey_and_in_range(g):
    images = g(draw_z(range(100), g.z_dim, seed=1))
    assert (images - images.mean(dim=1, keepdim=True)).abs().mean() < 0.01
    assert ((images.abs() > 1.1).double().mean()) < 0.01


def test_samples_are_not_copies_of_training_digits(g):
    images = g(draw_z(range(50), g.z_dim, seed=2)).mean(dim=1).flatten(1)
    training = pixels_to_tensor(digits("train")[0], 1).flatten(1)
    nearest = torch.cdist(images, training).amin(dim=1) / images.shape[1] ** 0.5
    assert nearest.median() > 0.05  # root mean square difference, on a range of two


@pytest.fixture(scope="module")
def projections(g):
    targets = pixels_to_tensor(one_of_each("held-out"), g.channels)
    distance = latentlab.perceptual_distance("builtin:digits")
    return {
        space: latentlab.project(
            g, targets, distance, space=space, steps=PROJECTION_STEPS, batch=len(targets)
        )
        for space in ("w", "w+")
    }


def test_held_out_digits_projected_into_w_plus_are_read_as_they_are(projections, classifier):
    read = classifier.probabilities(projections["w+"].images).argmax(dim=1)
    assert (read == torch.arange(10)).sum() >= 9


def test_w_plus_comes_closer_than_w_and_both_far_closer_than_the_mean_image(projections):
    w, w_plus = projections["w"], projections["w+"]
    assert bool((w_plus.distance < w.distance).all())
    assert bool((w.distance < 0.2 * w.start_distance).all())


def test_every_file_of_the_models_is_in_the_wheel():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = [*project["tool"]["setuptools"]["package-data"]["latentlab.models"], "*.py"]
    files = [path for path in (ROOT / "latentlab" / "models").iterdir() if path.is_file()]
    assert len(files) > 2
    assert [f.name for f in files if not any(f.match(pattern) for pattern in patterns)] == []
