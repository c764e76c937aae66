import re

import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.commands.convert import FORMS
from cli.main import main
from latentlab.checkpoints.exporting import TARGETS
from latentlab.checkpoints.native import write_native
from tests.conftest import make_discriminator, make_generator, make_progan, make_stylegan1


def convert(*arguments):
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


@pytest.fixture
def source(data):
    return data / "ada_cond_32_generator.safetensors"


def test_a_converted_checkpoint_gives_the_same_images(source, tmp_path):
    out = tmp_path / "out.safetensors"
    done = convert(source, out)
    assert done.exit_code == 0, done.stderr
    before, after = latentlab.load(source), latentlab.load(out)
    assert after.kind == "stylegan2-native"
    assert after.metadata["source"]["sha256"] == before.sha256
    assert source.name in after.metadata["licence"]
    z, c = torch.randn(2, 64, generator=torch.Generator().manual_seed(0)), torch.eye(5)[:2]
    assert torch.equal(after.generator(z, c), before.generator(z, c))


@pytest.mark.parametrize("name", ["G_ema", "D"])
def test_one_network_alone(name, shared, tmp_path):
    out = tmp_path / "out.safetensors"
    assert convert(shared / "ada_skip_32.pkl", out, "--only", name).exit_code == 0
    assert list(latentlab.load(out).networks) == [name]


@pytest.mark.parametrize(("options", "code", "said"), [
    (["--only", "H"], 2, "holds G_ema, but no H"),
    ([], 6, "exists; use --overwrite"),
])  # fmt: skip
def test_refusals_leave_the_file_alone(options, code, said, source, tmp_path):
    out = tmp_path / "out.safetensors"
    if code == 6:
        out.write_bytes(b"mine")
    done = convert(source, out, *options)
    assert done.exit_code == code
    assert said in done.stderr
    assert not out.exists() or out.read_bytes() == b"mine"


def test_overwriting_when_asked(source, tmp_path):
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"mine")
    assert convert(source, out, "--overwrite").exit_code == 0
    assert latentlab.load(out).generator.c_dim == 5


@pytest.mark.parametrize("make", [make_generator, make_stylegan1, make_progan])
def test_a_grey_generator_in_colour_gives_three_times_the_same(make, tmp_path):
    grey, source, out = (
        make(channels=1),
        tmp_path / "grey.safetensors",
        tmp_path / "out.safetensors",
    )
    write_native({"G_ema": grey, "D": make_discriminator(channels=1)}, source)
    done = convert(source, out, "--rgb")
    assert done.exit_code == 0, done.stderr
    converted = latentlab.load(out)
    assert list(converted.networks) == ["G_ema"]
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    image = converted.generator(z)
    assert image.shape == (2, 3, 16, 16)
    torch.testing.assert_close(image, grey(z).expand(-1, 3, -1, -1), atol=1e-5, rtol=0)  # rounding


# To other people's formats.


@pytest.fixture
def model(tmp_path):
    """A checkpoint that rosinality's code can hold."""
    path = tmp_path / "model.safetensors"
    write_native({"G_ema": make_generator(z_dim=5), "D": make_discriminator()}, path)
    return path


def test_the_forms_are_the_library_s():
    assert FORMS == TARGETS


@pytest.mark.parametrize("name", ["out.pt", "out.pkl", "out.pth", "out", "out.safetensors.zip"])
def test_a_name_that_does_not_say_the_form_is_refused_with_the_choices(name, model, tmp_path):
    done = convert(model, tmp_path / name)
    assert done.exit_code == 2
    assert all(form in done.stderr for form in ("--to", *FORMS))
    assert not (tmp_path / name).exists()


def test_a_file_for_rosinality_says_what_it_holds_and_how_it_opens(model, tmp_path):
    out = tmp_path / "out.pt"
    done = convert(model, out, "--to", "rosinality")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    said = done.stderr
    for words in (f"Saved {out}", "G_ema as g_ema and D as d", "style_dim 5", "to the last bit",
                  f'generator.load_state_dict(torch.load("{out}")["g_ema"])'):  # fmt: skip
        assert words in said
    assert list(torch.load(out, weights_only=True)) == ["g_ema", "latent_avg", "d"]
    z = torch.ones(2, 5)
    assert torch.equal(latentlab.load(out).generator(z), latentlab.load(model).generator(z))


@pytest.mark.parametrize(("options", "code", "said"), [
    (["--to", "yuuho"], 3, "skip_filter is 'fir': it enlarges the image bilinearly"),
    (["--to", "yuuho"], 3, "give --approximate to write it all the same"),
    (["--to", "rosinality", "--only", "D"], 3, "no generator"),
    (["--to", "rosinality", "--only", "H"], 2, "holds G_ema, D, but no H"),
    (["--to", "safetensors"], 2, "whose name ends in .safetensors"),
    (["--to", "onnx"], 2, "nvidia-state"),
])  # fmt: skip
def test_refusals_write_nothing(options, code, said, model, tmp_path):
    out = tmp_path / "out.pt"
    done = convert(model, out, *options)
    assert done.exit_code == code
    assert said in " ".join(done.stderr.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors"]


def test_a_conditional_generator_goes_where_labels_can(source, tmp_path):
    done = convert(source, tmp_path / "out.pt", "--to", "rosinality")
    assert done.exit_code == 3
    assert "c_dim is 5: its networks have no labels" in done.stderr
    assert convert(source, tmp_path / "out.pt", "--to", "nvidia-state").exit_code == 0
    assert latentlab.load(tmp_path / "out.pt").config.c_dim == 5


def test_the_difference_is_told_where_it_was_asked_for(model, tmp_path):
    done = convert(model, tmp_path / "out.pth", "--to", "yuuho", "--approximate")
    assert done.exit_code == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "Not the same over there: it enlarges the image bilinearly" in said
    assert re.search(r"its images differ by at most \d", said)
    assert "left out: D" in said
    exact = convert(model, tmp_path / "x.safetensors", "--approximate")
    assert exact.exit_code == 2
    assert "leave it out" in exact.stderr


def test_a_file_that_is_there_is_kept_unless_it_may_go(model, tmp_path):
    out = tmp_path / "out.pt"
    out.write_bytes(b"mine")
    done = convert(model, out, "--to", "rosinality")
    assert done.exit_code == 6
    assert out.read_bytes() == b"mine"
    assert convert(model, out, "--to", "rosinality", "--overwrite").exit_code == 0
    assert latentlab.load(out).kind == "stylegan2-rosinality"


def test_the_input_is_never_replaced(tmp_path):
    path = tmp_path / "model.pt"
    latentlab.export(make_generator(z_dim=5), path, "rosinality")
    before = path.read_bytes()
    done = convert(path, path, "--to", "nvidia-state", "--overwrite")
    assert done.exit_code == 6
    assert path.read_bytes() == before


def test_a_grey_generator_in_colour_for_their_three_channels(tmp_path):
    source, out = tmp_path / "grey.safetensors", tmp_path / "out.pt"
    write_native({"G_ema": make_generator(channels=1, z_dim=5)}, source)
    grey = convert(source, out, "--to", "rosinality")
    assert "1 image channels" in grey.stderr
    done = convert(source, out, "--to", "rosinality", "--rgb", "--overwrite")
    assert done.exit_code == 0, done.stderr
    assert "image channels" not in done.stderr
    assert torch.load(out, weights_only=True)["g_ema"]["to_rgb1.bias"].shape == (1, 3, 1, 1)


def test_what_has_colours_already_is_refused(source, tmp_path):
    done = convert(source, tmp_path / "out.safetensors", "--rgb")
    assert done.exit_code == 2
    assert "only grey generators" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_state_dict_becomes_a_file_that_says_everything(tmp_path):
    g, path, out = make_generator(), tmp_path / "state.pt", tmp_path / "whole.safetensors"
    torch.save({"g_ema": g.state_dict()}, path)
    refused = convert(path, out)
    assert refused.exit_code == 3
    assert not out.exists()
    # As the message says, with what is known of this one.
    (words,) = re.findall("--assume ([^`]+)`", refused.stderr)
    done = convert(path, out, "--assume", words, "--assume", "conv_clamp=none")
    assert done.exit_code == 0, done.stderr
    z = torch.ones(1, 6)
    whole = latentlab.load(out)
    assert torch.equal(whole.generator(z), g(z))
    assert "mapping_lr_multiplier 0.01" in whole.metadata["notes"][0]
