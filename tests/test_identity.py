"""Similarity of faces, with a network that can be computed by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from latentlab import CheckpointError, ImageError, NumericalError, SettingsError
from latentlab.identity import FaceIdentity
from tests.support.pairs import MeanFaces, OfAnotherShape, as_image, photograph, save_program

CLOSE = 1e-6  # float32


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return save_program(MeanFaces(), tmp_path_factory.mktemp("face") / "arcface.pt")


def vectors(image):
    """Crop and shrink as pSp's identity loss does, in plain numpy; then the stand-in's vectors.

    188 pixels become 112 as adaptive pooling has it: from floor(188 i / 112) to
    ceil(188 (i + 1) / 112).
    """
    face = image.double().numpy()[:, 35:223, 32:220]
    edges = [(188 * i // 112, -(-188 * (i + 1) // 112)) for i in range(112)]
    face = np.stack([face[:, a:b].mean(axis=1) for a, b in edges], axis=1)
    face = np.stack([face[:, :, a:b].mean(axis=2) for a, b in edges], axis=2)
    blocks = face.reshape(3, 7, 16, 7, 16).mean(axis=(2, 4)).ravel()
    return blocks / np.linalg.norm(blocks)


def test_it_is_the_cosine_of_the_vectors_of_cropped_faces(program):
    first, second = (as_image(photograph(256, seed)) for seed in (0, 1))
    found = FaceIdentity(program)(first[None], second[None])
    assert found.shape == (1,)
    assert float(found) == pytest.approx(vectors(first) @ vectors(second), abs=CLOSE)


def test_a_face_and_itself_are_one(program):
    images = torch.stack([as_image(photograph(256, seed)) for seed in range(3)])
    assert torch.allclose(FaceIdentity(program)(images, images), torch.ones(3), atol=CLOSE)


def test_whole_crops_reach_the_network_as_they_are(program):
    images = as_image(photograph(112))[None]
    assert torch.equal(FaceIdentity(program, "none").faces(images), images)
    assert FaceIdentity(program, "none").faces(as_image(photograph(60))[None]).shape[-1] == 112


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_alpha_are_seen_in_colour(program, channels):
    images = torch.rand(2, channels, 256, 256) * 2 - 1
    assert FaceIdentity(program).faces(images).shape == (2, 3, 112, 112)


def test_gradients_reach_the_images(program):
    images = as_image(photograph(256))[None].requires_grad_()
    FaceIdentity(program)(images, as_image(photograph(256, 1))[None]).sum().backward()
    assert float(images.grad[:, :, 40:200, 40:200].abs().max()) > 0
    assert float(images.grad[:, :, :35].abs().max()) == 0


class Nothing(nn.Module):
    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return faces.new_zeros([len(faces), 4])


def test_what_is_no_face_recognition_is_refused(tmp_path):
    images = torch.zeros(2, 3, 256, 256)
    with pytest.raises(CheckpointError, match=r"vectors \[N,D\]"):
        FaceIdentity(save_program(OfAnotherShape(), tmp_path / "a.pt"))(images, images)
    with pytest.raises(NumericalError, match="zero, or not finite"):
        FaceIdentity(save_program(Nothing(), tmp_path / "b.pt"))(images, images)
    with pytest.raises(CheckpointError, match="cannot be called with faces"):
        FaceIdentity(save_program(nn.Linear(3, 3), tmp_path / "c.pt"))(images, images)
    (tmp_path / "d.pt").write_bytes(b"no program")
    with pytest.raises(CheckpointError, match="not a TorchScript network"):
        FaceIdentity(tmp_path / "d.pt")


def test_wrong_arguments_are_named(program):
    with pytest.raises(SettingsError, match="`crop`"):
        FaceIdentity(program, "chin")
    with pytest.raises(ImageError, match=r"\[N,C,H,W\]"):
        FaceIdentity(program)(torch.zeros(3, 9, 9), torch.zeros(3, 9, 9))
