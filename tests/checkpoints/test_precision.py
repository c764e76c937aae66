"""Weights in half precision: every kind of file opens as float32, and says what it was."""

import io
import json
import pickle

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import save_file

import latentlab
from cli.main import main
from latentlab import CheckpointError
from latentlab.checkpoints.precision import float_types
from tests.conftest import make_discriminator, make_generator, make_stylegan3
from tests.support import foreign
from tests.support.snapshots import Persistent, official_names, write_snapshot
from tests.support.tensorflow.pickles import make_generator as tf_generator
from tests.support.tensorflow.pickles import write_pickle

HALF = (torch.float16, torch.bfloat16)
KWARGS = {
    "z_dim": 6, "c_dim": 0, "w_dim": 5, "img_resolution": 16, "img_channels": 3,
    "mapping_kwargs": {"num_layers": 2},
    "synthesis_kwargs": {"channel_base": 128, "channel_max": 8, "conv_clamp": None},
}  # fmt: skip
D_KWARGS = {"c_dim": 0, "img_resolution": 16, "img_channels": 3, "channel_base": 128,
            "channel_max": 8}  # fmt: skip
KWARGS3 = {"c_dim": 0, "img_resolution": 16, "img_channels": 3, "z_dim": 6, "w_dim": 5,
           "mapping_kwargs": {"num_layers": 2}, "channel_base": 64, "channel_max": 6,
           "num_layers": 4, "num_critical": 1, "first_cutoff": 1.0, "first_stopband": 3.0,
           "margin_size": 4}  # fmt: skip
RATE = {"mapping_lr_multiplier": 0.01, "conv_clamp": None}  # what no shape shows
# Files that torch wrote, beside the repository: one of each other code base.
FILES = (
    "ros2_32.pt", "ros1_1024.model", "yuuho2_32.pth", "more/lucidrains_16.pt",
    "more/genforce_pggan_32.pth", "more/genforce_stylegan1_32.pth",
    "more/genforce_stylegan2_32.pth", "more/huangzh13_stylegan1_32.pth",
    "more/mmgen_stylegan2_32.pth", "reports/psp.pt",
)  # fmt: skip


def in_type(value, dtype):
    """Bring the tensors in plain containers to a type, as someone who converts a file does."""
    if isinstance(value, torch.Tensor):
        return value.detach().to(dtype) if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: in_type(each, dtype) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(in_type(each, dtype) for each in value)
    return value


def assert_rounded(found, exact, dtype):
    """The weights are those of ``exact``, but for the rounding of what was stored.

    A number loses half an eps of itself; some weights are sums or products of two numbers.
    Measured: 2.1 eps of the largest weight at most.
    """
    most_lost = 4 * torch.finfo(dtype).eps
    assert [*found.networks] == [*exact.networks]
    for name, network in exact.networks.items():
        there = found.networks[name].state_dict()
        for key, weight in network.state_dict().items():
            assert there[key].dtype == torch.float32
            most = float(weight.abs().max()) if weight.numel() else 0.0
            torch.testing.assert_close(there[key], weight, rtol=0, atol=most_lost * most)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", FILES)
def test_files_of_other_code_in_half_precision(name, dtype, shared, tmp_path):
    content = torch.load(shared / name, map_location="cpu", weights_only=False)
    exact = latentlab.load(shared / name)
    for i, zipped in enumerate((True, False)):
        path = tmp_path / f"{i}.pt"
        torch.save(in_type(content, dtype), path, _use_new_zipfile_serialization=zipped)
        found = latentlab.load(path)
        assert found.kind == exact.kind
        assert found.stored_as == (str(dtype).removeprefix("torch."),)
        assert_rounded(found, exact, dtype)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("make", [foreign.rosinality_g, foreign.rosinality1_g, foreign.yuuho2_g])
@pytest.mark.parametrize("zipped", [True, False])
def test_state_dicts_in_half_precision(make, dtype, zipped, tmp_path):
    opened = []
    for i, weights in enumerate((make(), in_type(make(), dtype))):
        path = tmp_path / f"{i}.pt"
        torch.save({"g_ema": weights} if make is foreign.rosinality_g else weights, path,
                   _use_new_zipfile_serialization=zipped)  # fmt: skip
        opened.append(latentlab.load(path))
    exact, found = opened
    assert (exact.stored_as, found.stored_as) == (("float32",), (str(dtype)[6:],))
    assert_rounded(found, exact, dtype)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_snapshots_of_nvidias_releases_in_half_precision(dtype, tmp_path, monkeypatch):
    g, d = make_generator().to(dtype), make_discriminator().to(dtype)
    content = {"G": None, "D": Persistent(d, "Discriminator", (), D_KWARGS),
               "G_ema": Persistent(g, "Generator", (), KWARGS)}  # fmt: skip
    found = latentlab.load(write_snapshot(tmp_path / "2.pkl", content, monkeypatch))
    assert found.stored_as == (str(dtype)[6:],)
    for name, network in (("G_ema", g), ("D", d)):
        there = found.networks[name].state_dict()
        for key, weight in network.state_dict().items():
            assert torch.equal(there[key], weight.float())
    g3 = make_stylegan3().to(dtype)
    content = {"G_ema": Persistent(g3, "Generator", (), KWARGS3)}
    found = latentlab.load(write_snapshot(tmp_path / "3.pkl", content, monkeypatch))
    there = found.generator.state_dict()
    assert found.stored_as == (str(dtype)[6:],)
    assert all(torch.equal(there[key], w.float()) for key, w in g3.state_dict().items())
    latentlab.save(found, tmp_path / "single.safetensors")
    assert latentlab.load(tmp_path / "single.safetensors").stored_as == ("float32",)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_bare_state_dicts_of_nvidias_in_half_precision(dtype, tmp_path):
    weights = in_type(dict(make_generator().state_dict()), dtype)
    torch.save(weights, tmp_path / "state.pt")
    found = latentlab.load(tmp_path / "state.pt", assume=RATE)
    assert found.stored_as == (str(dtype)[6:],)
    save_file(weights, tmp_path / "state.safetensors")
    again = latentlab.load(tmp_path / "state.safetensors", assume=RATE)
    assert again.stored_as == (str(dtype)[6:],)
    for key, weight in weights.items():
        assert torch.equal(found.generator.state_dict()[key], weight.float())
        assert torch.equal(again.generator.state_dict()[key], weight.float())


@pytest.mark.parametrize("function", ["G_style", "G_main", "G_paper"])
def test_pickles_of_tensorflow_in_half_precision(function, tmp_path, monkeypatch):
    exact, network = (tf_generator(function)[0] for _ in range(2))
    for each in (network, *network.state["components"].values()):
        each.state["variables"] = [
            (name, np.float16(value)) for name, value in each.state["variables"]
        ]
    opened = [latentlab.load(write_pickle(tmp_path / f"{i}.pkl", each, monkeypatch))
              for i, each in enumerate((exact, network))]  # fmt: skip
    assert "float16" in opened[1].stored_as
    assert "float16" not in opened[0].stored_as
    assert_rounded(opened[1], opened[0], torch.float16)


def native(path, dtype):
    latentlab.save(make_generator(), path)
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {key: file.get_tensor(key).to(dtype) for key in file.keys()}  # noqa: SIM118
    save_file(tensors, path, header)
    return path


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_info_says_what_the_weights_were(dtype, tmp_path):
    path = native(tmp_path / "half.safetensors", dtype)
    name = str(dtype)[6:]
    done = CliRunner().invoke(main, ["info", str(path)])
    assert done.exit_code == 0, done.stderr
    assert f"weights       stored in {name}; opened as float32" in done.stdout
    facts = json.loads(CliRunner().invoke(main, ["info", str(path), "--json"]).stdout)
    assert facts["stored_as"] == [name]


def test_info_says_nothing_of_single_precision(tmp_path):
    latentlab.save(make_generator(), tmp_path / "g.safetensors")
    done = CliRunner().invoke(main, ["info", str(tmp_path / "g.safetensors")])
    assert "stored in" not in done.stdout


def test_an_optimisers_state_beside_the_networks_is_not_meant(tmp_path):
    moments = torch.ones(3, dtype=torch.float16)
    torch.save({"g_ema": foreign.rosinality_g(), "g_optim": {"state": moments}},
               tmp_path / "x.pt")  # fmt: skip
    assert latentlab.load(tmp_path / "x.pt").stored_as == ("float32",)


def test_a_weight_beyond_half_precision_is_refused_by_name(tmp_path):
    weights = foreign.rosinality_g()
    weights["conv1.conv.weight"] = weights["conv1.conv.weight"] * 1e6
    torch.save({"g_ema": in_type(weights, torch.float16)}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="holds NaN or infinity"):
        latentlab.load(tmp_path / "x.pt")


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_files_in_half_precision_end_in_one_error(dtype, zipped, tmp_path):
    file = io.BytesIO()
    torch.save({"g_ema": in_type(foreign.rosinality_g(), dtype)}, file,
               _use_new_zipfile_serialization=zipped)  # fmt: skip
    whole, path = file.getvalue(), tmp_path / "x.pt"
    for share in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CheckpointError):
            latentlab.load(path)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_damaged_native_file_ends_in_one_error(dtype, tmp_path):
    path = native(tmp_path / "half.safetensors", dtype)
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"\0", whole.replace(b'"F16"', b'"F32"')
                    .replace(b'"BF16"', b'"F32"')):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(CheckpointError):
            latentlab.load(path)


def test_a_storage_that_holds_less_than_its_type_says_is_refused(tmp_path, monkeypatch):
    """The same bytes as another type have another number of elements."""
    official_names(monkeypatch)
    g = Persistent(make_generator().half(), "Generator", (), KWARGS)
    content = pickle.dumps({"G_ema": g}, 4)
    for theirs in (b"FloatStorage", b"LongStorage"):
        path = tmp_path / "x.pkl"
        forged = content.replace(b"HalfStorage", theirs)
        path.write_bytes(forged)
        with pytest.raises(CheckpointError):
            latentlab.load(path)


def test_the_types_in_what_holds_itself_are_found():
    holder = {"a": [torch.ones(1).half(), np.ones(2)], "b": torch.ones(1, dtype=torch.int64)}
    holder["self"] = holder
    assert float_types(holder) == ("float16", "float64")
