"""Classifiers of one's own, as TorchScript files."""

import warnings
import zipfile

import pytest
import torch
from torch import Tensor, nn

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from latentlab.torchscript import is_torchscript
from metrics import linear_separability
from tests.conftest import make_generator


class Own(nn.Module):
    """Somebody's classifier, with a size and names of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.resolution, self.channels, self.classes = 8, 1, ["cat", "dog", "owl"]
        self.head = nn.Linear(64, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.flatten(1))


class Wrong(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean()


def save(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is going out of fashion; its files are not
        torch.jit.script(module).save(str(path))
    return path


@pytest.fixture
def own(tmp_path):
    return save(Own(), tmp_path / "own.bin")  # the content decides, not the name


def test_a_torchscript_classifier_opens_by_its_content(own):
    clf, images = latentlab.load_classifier(own), torch.randn(5, 1, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.jit.load(own)
    assert torch.equal(clf(images), theirs(images))
    assert (clf.config.resolution, clf.config.channels) == (8, 1)
    assert clf.config.classes == ("cat", "dog", "owl")
    assert not clf.training
    assert not any(weight.requires_grad for weight in clf.parameters())


def test_separability_heeds_what_it_says_of_itself(own):
    clf = latentlab.load_classifier(own)
    table = linear_separability(make_generator(), [clf], 40, spaces=("w",)).samples
    assert table["attribute"].tolist() == ["cat", "dog", "owl"]


def test_a_checkpoint_may_not_be_a_program(own):
    with pytest.raises(UnsupportedCheckpoint, match="a program"):
        latentlab.load(own)


def test_one_that_says_nothing_of_itself_opens(tmp_path):
    clf = latentlab.load_classifier(
        save(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), tmp_path / "x")
    )
    assert (clf.config.resolution, clf.config.channels, clf.config.classes) == (None, None, ())
    assert clf(torch.zeros(2, 3, 4, 4)).shape == (2, 2)
    with pytest.raises(CheckpointError, match=r"x: cannot be called with images \[2, 3, 8, 8\]"):
        clf(torch.zeros(2, 3, 8, 8))


def test_other_outputs_are_refused(tmp_path):
    clf = latentlab.load_classifier(save(Wrong(), tmp_path / "wrong.pt"))
    with pytest.raises(CheckpointError, match=r"wrong.pt: returned \[\] for 4 images"):
        clf(torch.zeros(4, 3, 8, 8))


def test_other_files_are_no_programs(tmp_path):
    torch.save({"x": torch.ones(1)}, tmp_path / "weights.pt")
    (tmp_path / "text").write_text("hello")
    assert not any(map(is_torchscript, [tmp_path, *tmp_path.iterdir(), tmp_path / "none"]))
    with pytest.raises(CheckpointError, match="no such file"):
        latentlab.load_classifier(tmp_path / "none")


def test_a_program_without_its_parts_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "own.bin", "w") as archive:
        archive.writestr("own/code/__torch__.py", "pass")
    with pytest.raises(CheckpointError, match=r"own\.bin: not a TorchScript network"):
        latentlab.load_classifier(tmp_path / "own.bin")
