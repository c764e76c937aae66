"""The encoders of pSp and e4e against what the original code computes, with weights by rule."""

import json
import zlib

import numpy as np
import pytest
import torch

from latentlab.encoders import Encoder, load_encoder
from latentlab.encoders.config import E4E, INTO_W, PSP, EncoderConfig
from latentlab.encoders.network import build

# At least 3 times what float32 and float64 differ by in the original (3.9e-5, at most, of codes up
# to 18), as the references state it.
CODES = 1.5e-4
CODES_OF_VECTOR = 1.5e-5

ROLES = {
    "var": lambda x: 0.5 * abs(x) + 0.5,
    "one": lambda x: 1 + 0.1 * x,
    "res_out": lambda x: 0.3 * x,
    "prelu": lambda x: 0.25 + 0.1 * x,
    "bias": lambda x: 0.1 * x,
    "conv": lambda x: x * np.sqrt(2 / np.prod(x.shape[1:])),
    "equal": lambda x: x,
}
CASES = [
    ("psp_gradual_irse50_18", PSP, 18, CODES),
    ("e4e_irse50_18", E4E, 18, CODES),
    ("psp_backbone_w_irse50", INTO_W, 1, CODES_OF_VECTOR),
]


@pytest.fixture(scope="module")
def more(shared):
    if not (shared / "more").is_dir():
        pytest.skip("the second set of reference data is not there")
    return shared / "more"


def by_rule(name, shape, role):
    if role == "count":
        return torch.zeros(shape, dtype=torch.int64)
    x = np.random.RandomState(zlib.crc32(name.encode())).randn(*shape)
    return torch.from_numpy(ROLES[role](x).astype(np.float32))


def reference_input(ref):
    coarse = np.clip(np.random.RandomState(5).randn(2, 3, 16, 16) * 0.5, -1, 1).astype(np.float32)
    x = coarse.repeat(16, axis=2).repeat(16, axis=3)
    x = x + np.float32(0.1) * np.random.RandomState(6).randn(2, 3, 256, 256).astype(np.float32)
    x = np.clip(x, -1, 1)
    np.testing.assert_array_equal(x[0, :, :4, :4], ref["input_s0_corner"])
    assert abs(x.sum(dtype=np.float64) - ref["input_sum"]) < 1e-6
    return torch.from_numpy(x)


def names_and_shapes(network):
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def on_meta(kind, rows):
    with torch.device("meta"):
        return build(EncoderConfig(kind, rows))


@pytest.mark.parametrize(("name", "kind", "rows", "_"), CASES)
def test_names_and_shapes_are_those_of_the_original(name, kind, rows, _, more):
    spec = json.loads((more / f"{name}_spec.json").read_text())
    theirs = {each: tuple(shape) for each, shape, role in spec if role != "count"}
    assert names_and_shapes(on_meta(kind, rows)) == theirs


def test_a_whole_checkpoint_has_these_encoders(more):
    layout = json.loads((more / "psp_e4e_checkpoint_layout_1024.json").read_text())
    theirs = {
        name.removeprefix("encoder."): tuple(shape)
        for name, shape in layout["state_dict"]
        if name.startswith("encoder.") and not name.endswith(".num_batches_tracked")
    }
    for kind in (PSP, E4E):
        assert names_and_shapes(on_meta(kind, 18)) == theirs


@pytest.mark.slow  # 270 million weights: ten seconds each to make, and a gigabyte of memory
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "kind", "rows", "tolerance"), CASES)
def test_codes_are_those_of_the_original(name, kind, rows, tolerance, more, tmp_path):
    with np.load(more / f"{name}_ref.npz") as file:
        ref = dict(file)
    spec = json.loads((more / f"{name}_spec.json").read_text())
    file = tmp_path / "encoder.pt"
    state = {f"encoder.{each}": by_rule(each, shape, role) for each, shape, role in spec}
    torch.save({"state_dict": state, "opts": {"encoder_type": kind}}, file)
    del state
    encoder = load_encoder(file)
    assert isinstance(encoder, Encoder)
    x = reference_input(ref)
    with torch.no_grad():
        found = encoder(x)
        stages = dict(zip((2, 6, 20, 23), encoder.network.stages(x), strict=True))
    for unit, features in stages.items():
        corner = torch.from_numpy(ref[f"body{unit}_s0_ch0to3_corner"])
        torch.testing.assert_close(features[0, :4, :4, :4], corner, atol=1e-4, rtol=1e-5)
        figures = torch.stack([features[0].mean(), features[0].std()]).double()
        torch.testing.assert_close(
            figures, torch.from_numpy(ref[f"body{unit}_mean_std"]), atol=1e-5, rtol=1e-5
        )
    expected = torch.from_numpy(ref["codes"]).reshape(2, rows, 512)
    print(name, float((found - expected).abs().max()))
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
