import re

import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main
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
