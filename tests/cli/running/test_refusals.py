"""What cannot be done is refused before the work is announced, and leaves no folder."""

import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main
from latentlab.images import save_image
from tests.conftest import make_generator, make_progan

NEAR = ("--distance", "builtin:digits")
CLASSIFIER = ("--classifier", "builtin:digits-classifier")

# A command line with what the models here cannot do, and what is said of it.
LINES = {
    "ppl": (("{no_w}", *NEAR, "--samples", "8"), "has no W; give --protocol ppl_zend"),
    "separability": (("{no_w}", *CLASSIFIER, "--space", "w"), "measure in Z: --space z"),
    "separability of small pictures": (("{small}", *CLASSIFIER), "digits-classifier takes images"),
    "directions": (("{small}", *CLASSIFIER, "--method", "svm"), "digits-classifier takes images"),
    "project": (("{no_w}", "{picture}", *NEAR), "has no W; search in Z: --space z"),
    "attribution": (("{no_w}", "{picture}", *NEAR), "a Progressive GAN has no W"),
    "contributions": (("{no_w}",), "only a skip generator"),
    "contributions of no file": (("{nothing}",), "nothing.pkl: no such file"),
    "contributions of no checkpoint": (("{picture}", "{no_w}"), "a.png"),
    "compare": (("{no_w}", "{same}", "--metric", "contributions"), "only a skip generator"),
}


@pytest.fixture
def things(tmp_path):
    """Return paths by the names in LINES."""
    found = {name: str(tmp_path / f"{name}.safetensors") for name in ("no_w", "same", "small")}
    latentlab.save(make_progan(resolution=32), found["no_w"])
    latentlab.save(make_progan(resolution=32, seed=1), found["same"])
    latentlab.save(make_generator(resolution=16), found["small"])
    save_image(tmp_path / "a.png", torch.zeros(3, 32, 32))
    return {**found, "picture": str(tmp_path / "a.png"), "nothing": str(tmp_path / "nothing.pkl")}


@pytest.mark.parametrize("line", LINES)
def test_what_cannot_be_done_is_refused_before_it_is_announced(line, things, tmp_path):
    words, said = LINES[line]
    output = tmp_path / "out"
    done = CliRunner().invoke(main, [
        line.split()[0], *(word.format(**things) for word in words), "--device", "cpu",
        "-o", str(output),
    ])  # fmt: skip
    assert done.exit_code in (3, 4)
    assert said in done.stderr
    assert ", on cpu with" not in done.stderr
    assert not output.exists()
