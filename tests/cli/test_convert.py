import pytest
import torch
from click.testing import CliRunner

import latentlab
from cli.main import main


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
