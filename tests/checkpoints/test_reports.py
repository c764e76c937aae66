"""Files as other people have them: each does what was expected of it."""

import pytest
import torch

import latentlab
from latentlab import UnsafeCheckpoint
from tests.support.attacks import archive, call, name, plain
from tests.support.tolerances import IMAGE, W


@pytest.fixture
def reports(shared):
    """The folder of such files, rebuilt with the original code."""
    return shared / "reports"


def reference(reports, file):
    return torch.load(reports / f"{file}_ref.pt", weights_only=True)


def test_a_generator_saved_whole_by_pivotal_tuning(reports):
    checkpoint = latentlab.load(reports / "pti_model.pt")
    assert checkpoint.kind == "stylegan2-ada"
    assert list(checkpoint.networks) == ["G_ema"]
    ref = reference(reports, "pti_model")
    g = checkpoint.generator
    torch.testing.assert_close(g.mapping(ref["z"]), ref["ws"], atol=W, rtol=0)
    image = g(ref["z"], truncation_psi=0.7)
    torch.testing.assert_close(image, ref["img"], atol=IMAGE, rtol=0)


def test_its_native_copy_renders_the_same_bits(reports, tmp_path):
    checkpoint = latentlab.load(reports / "pti_model.pt")
    latentlab.save(checkpoint, tmp_path / "copy.safetensors")
    z = torch.ones(1, checkpoint.generator.z_dim)
    copy = latentlab.load(tmp_path / "copy.safetensors").generator
    assert torch.equal(copy(z), checkpoint.generator(z))


def test_a_generator_without_the_rest_of_its_snapshot(reports):
    checkpoint = latentlab.load(reports / "ada_only_G.pkl")
    assert checkpoint.kind == "stylegan2-ada"
    g = checkpoint.generator
    assert bool(g(torch.ones(1, g.z_dim)).isfinite().all())
    assert checkpoint.discriminator is None


def test_the_generator_in_a_file_with_an_encoder(reports):
    checkpoint = latentlab.load(reports / "psp.pt")
    assert checkpoint.kind == "stylegan2-rosinality"
    assert checkpoint.metadata["ignored"] == ["encoder"]
    assert "encoder" in checkpoint.metadata["notes"][0]
    assert checkpoint.metadata["training"]["opts"]["encoder_type"] == "GradualStyleEncoder"


def test_a_device_beside_the_weights(reports):
    checkpoint = latentlab.load(reports / "rosinality_with_device.pt")
    args = checkpoint.metadata["training"]["args"]
    assert (args["size"], args["device"], args["dtype"]) == (32, "torch.device", "torch.float32")


def test_a_tuned_generator_with_a_payload_beside_it(tmp_path):
    """The container that PTI writes, and a call of the system next to the generator."""
    marker = tmp_path / "marker"
    path = tmp_path / "model.pt"
    path.write_bytes(archive(plain({"G": call(name("posix", "system"), f"touch '{marker}'")})))
    with pytest.raises(UnsafeCheckpoint, match=r"posix\.system"):
        latentlab.load(path)
    assert not marker.exists()
