"""What ``export`` writes: whole files of plain data, which open as the same network."""

from dataclasses import replace

import pytest
import torch

import latentlab
from latentlab import OutputError, SettingsError, UnsupportedCheckpoint
from latentlab.checkpoints.exporting import TARGETS, target_of
from latentlab.tensor_files import read_safetensors
from tests.conftest import (
    make_discriminator,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan3,
)


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint with all three networks."""
    latentlab.save(make_generator(z_dim=5), tmp_path / "model.safetensors")
    opened = latentlab.load(tmp_path / "model.safetensors")
    more = {"G": make_generator(z_dim=5, seed=1), "D": make_discriminator()}
    return replace(opened, networks={**opened.networks, **more})


def values_in(found):
    """All that a file holds, keys included."""
    if not isinstance(found, dict):
        return [*found] if isinstance(found, list) else [found]
    return [value for key, part in found.items() for value in (key, *values_in(part))]


@pytest.mark.parametrize("to", ["rosinality", "nvidia-state"])
def test_a_file_holds_tensors_and_plain_values(to, checkpoint, tmp_path):
    out = tmp_path / "out.pt"
    exported = latentlab.export(checkpoint, out, to)
    assert (exported.path, exported.to, exported.difference) == (out, to, 0)
    found = torch.load(out, weights_only=True)
    assert {type(value) for value in values_in(found)} <= {
        torch.Tensor, str, int, float, bool, type(None)
    }  # fmt: skip
    tensors = [value for value in values_in(found) if isinstance(value, torch.Tensor)]
    assert all(tensor.dtype == torch.float32 and not tensor.requires_grad for tensor in tensors)
    stored = {tensor.untyped_storage().data_ptr(): tensor for tensor in tensors}
    assert len(stored) == len(tensors)  # each has memory of its own, and no more than it needs
    assert all(t.untyped_storage().nbytes() == t.nbytes and t.is_contiguous() for t in tensors)


def test_names_of_the_networks_are_told(checkpoint, tmp_path):
    exported = latentlab.export(checkpoint, tmp_path / "a.pt", "rosinality")
    assert dict(exported.networks) == {"G_ema": "g_ema", "G": "g", "D": "d"}
    assert exported.opening == (
        f'generator.load_state_dict(torch.load("{tmp_path / "a.pt"}")["g_ema"])'
    )
    assert list(latentlab.load(exported.path).networks) == ["G_ema", "G", "D"]
    state = latentlab.export(checkpoint, tmp_path / "b.pt", "nvidia-state")
    assert dict(state.networks) == {"G_ema": "G_ema", "G": "G", "D": "D"}


def test_one_generator_is_enough(tmp_path):
    g = make_stylegan1(z_dim=5)
    exported = latentlab.export(g, str(tmp_path / "g.pth"), to="yuuho")
    z = torch.ones(1, 5)
    assert torch.equal(latentlab.load(exported.path).generator(z), g(z))


def test_a_file_of_one_generator_leaves_the_others_out(checkpoint, tmp_path):
    bilinear = make_generator(z_dim=5, skip_filter="bilinear")
    source = replace(checkpoint, networks={**checkpoint.networks, "G_ema": bilinear})
    exported = latentlab.export(source, tmp_path / "g.pth", "yuuho")
    assert list(exported.networks) == ["G_ema"]
    assert any("left out: G, D" in note for note in exported.notes)


def test_the_same_network_is_the_same_file(checkpoint, tmp_path):
    files = [latentlab.export(checkpoint, tmp_path / name, "rosinality").path
             for name in ("a.pt", "b.model")]  # fmt: skip
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_network_on_half_precision_is_written_in_single(tmp_path):
    exported = latentlab.export(make_generator(z_dim=5).double(), tmp_path / "g.pt", "rosinality")
    assert latentlab.load(exported.path).generator.mapping.w_avg.dtype == torch.float32


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
def test_nvidia_state_keeps_what_is_known_of_the_checkpoint(name, data, tmp_path):
    source = latentlab.load(data / "ada_cond_32_generator.safetensors")
    opened = latentlab.load(latentlab.export(source, tmp_path / name, "nvidia-state").path)
    assert opened.kind == "stylegan2-ada"
    assert opened.config == source.config
    assert opened.converted_from == source.sha256
    assert "ada_cond_32_generator.safetensors" in opened.metadata["licence"]
    z, c = torch.ones(2, 64), torch.eye(5)[:2]
    assert torch.equal(opened.generator(z, c), source.generator(z, c))


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
def test_networks_may_share_their_memory(name, checkpoint, tmp_path):
    g = checkpoint.generator
    source = replace(checkpoint, networks={"G_ema": g, "G": g})
    opened = latentlab.load(latentlab.export(source, tmp_path / name, "nvidia-state").path)
    assert torch.equal(opened.raw_generator(torch.ones(1, 5)), g(torch.ones(1, 5)))


def test_a_name_of_a_pickle_is_told_to_be_none(checkpoint, tmp_path):
    exported = latentlab.export(checkpoint, tmp_path / "x.pkl", "nvidia-state")
    assert any("no pickle" in note for note in exported.notes)
    assert latentlab.load(exported.path).kind == "stylegan2-ada"


def test_the_kind_of_a_stylegan3_is_known_again(tmp_path):
    exported = latentlab.export(make_stylegan3(), tmp_path / "x.pt", "nvidia-state")
    assert latentlab.load(exported.path).kind == "stylegan3-t-nvidia"


# The name of a file and its form.


@pytest.mark.parametrize(("name", "to", "chosen"), [
    ("x.safetensors", None, "safetensors"), ("x.SafeTensors", None, "safetensors"),
    ("x.safetensors", "safetensors", "safetensors"),
    ("x.safetensors", "nvidia-state", "nvidia-state"), ("x.pt", "rosinality", "rosinality"),
    ("x.model", "rosinality", "rosinality"), ("x.pth", "yuuho", "yuuho"),
    ("x.pkl", "nvidia-state", "nvidia-state"), ("x", "yuuho", "yuuho"),
])  # fmt: skip
def test_the_form_is_what_is_asked_for_or_what_the_name_says(name, to, chosen, tmp_path):
    assert target_of(tmp_path / name, to) == chosen


@pytest.mark.parametrize(("name", "to", "words"), [
    ("x.pt", None, [".pt does not say", *TARGETS]), ("x.pkl", None, [".pkl", *TARGETS]),
    ("x", None, ["in nothing", *TARGETS]),
    ("x.pt", "safetensors", [".safetensors"]), ("x.safetensors", "rosinality", [".pt"]),
    ("x.safetensors", "yuuho", [".pth"]), ("x.pt", "keras", [*TARGETS, "keras"]),
])  # fmt: skip
def test_names_that_say_nothing_or_something_else_are_refused(name, to, words, tmp_path):
    with pytest.raises(SettingsError) as caught:
        latentlab.export(make_generator(), tmp_path / name, to)
    assert [word for word in words if word not in str(caught.value)] == []
    assert list(tmp_path.iterdir()) == []


def test_latentlabs_own_form_is_that_of_save(checkpoint, tmp_path):
    exported = latentlab.export(checkpoint, tmp_path / "a.safetensors")
    latentlab.save(checkpoint, tmp_path / "b.safetensors")
    (header, found), (expected, tensors) = (
        read_safetensors(tmp_path / name) for name in ("a.safetensors", "b.safetensors")
    )
    assert header == expected
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in found)
    assert (exported.to, exported.difference, exported.notes) == ("safetensors", 0, ())
    latentlab.export(make_progan(), tmp_path / "p.safetensors")
    assert latentlab.load(tmp_path / "p.safetensors").kind == "progan-native"


def test_something_else_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="`source` must be a Checkpoint or a Generator"):
        latentlab.export({"G_ema": 1}, tmp_path / "x.pt", "rosinality")


# Nothing is half-written, and nothing lost.


@pytest.mark.parametrize("to", ["rosinality", "yuuho", "nvidia-state"])
def test_a_refusal_leaves_the_old_file_alone(to, tmp_path):
    out = tmp_path / "out.pt"
    out.write_bytes(b"mine")
    with pytest.raises(UnsupportedCheckpoint):
        latentlab.export(make_generator(normalize_latents=False), out, to)
    assert out.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("to", ["rosinality", "nvidia-state"])
def test_a_folder_that_is_not_there(to, tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        latentlab.export(make_generator(z_dim=5), tmp_path / "nowhere" / "x.pt", to)


@pytest.mark.parametrize("to", ["rosinality", "nvidia-state"])
def test_a_failure_in_writing_is_an_error_of_the_output(to, tmp_path, monkeypatch):
    def full(*_):
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match=r"x\.pt: cannot be written"):
        latentlab.export(make_generator(z_dim=5), tmp_path / "x.pt", to)
    assert list(tmp_path.iterdir()) == []


def test_what_opens_as_another_network_is_not_kept(tmp_path, monkeypatch):
    """A fault of the writer's, made here: weights of another network under the right names."""
    from latentlab.checkpoints.targets import rosinality2

    other = make_generator(z_dim=5, seed=3)
    written = rosinality2.write({"G_ema": other}, "x", approximate=False)
    monkeypatch.setattr("latentlab.checkpoints.exporting.written_for", lambda *_: written)
    with pytest.raises(UnsupportedCheckpoint, match="opens as another network"):
        latentlab.export(make_generator(z_dim=5), tmp_path / "x.pt", "rosinality")
    assert list(tmp_path.iterdir()) == []


# A limit of activations is left out where nothing reaches it.


def test_a_limit_that_no_activation_reaches_is_left_out_and_told(tmp_path):
    g = make_generator(z_dim=5, conv_clamp=256.0)
    exported = latentlab.export(g, tmp_path / "x.pt", "rosinality")
    assert exported.difference == 0
    assert any("conv_clamp 256" in note for note in exported.notes)
    assert latentlab.load(exported.path).config.conv_clamp is None


def test_a_limit_that_activations_reach_is_refused(tmp_path):
    g = make_generator(z_dim=5, conv_clamp=0.5)
    with pytest.raises(UnsupportedCheckpoint, match=r"G_ema: activations reach .*conv_clamp 0\.5"):
        latentlab.export(g, tmp_path / "x.pt", "rosinality")
    assert list(tmp_path.iterdir()) == []
    exported = latentlab.export(g, tmp_path / "x.pt", "rosinality", approximate=True)
    assert exported.difference > 0.01
    kept = latentlab.export(g, tmp_path / "y.pt", "nvidia-state")
    assert latentlab.load(kept.path).config.conv_clamp == 0.5


def test_the_difference_is_that_of_the_images(shared, tmp_path):
    """yuuho's file rendered by the official network differs as the reference says."""
    opened = latentlab.load(shared / "yuuho2_32.pth")
    exported = latentlab.export(opened, tmp_path / "x.pt", "rosinality", approximate=True)
    z = latentlab.latents.z_from_seeds([0, 1], 64)
    apart = latentlab.load(exported.path).generator(z) - opened.generator(z)
    assert exported.difference == pytest.approx(float(apart.abs().max()))
    assert exported.difference > 1
