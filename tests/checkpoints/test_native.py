import hashlib
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import latentlab
from latentlab import (
    Checkpoint,
    CheckpointError,
    OutputError,
    TruncatedCheckpoint,
    UnsafeCheckpoint,
    UnsupportedCheckpoint,
)
from latentlab.checkpoints.native import write_native
from tests.conftest import make_discriminator, make_generator, scarce_memory

NETWORKS = {
    "skip": {"architecture": "skip"},
    "resnet": {"architecture": "resnet"},
    "orig": {"architecture": "orig"},
    "labels": {"c_dim": 3},
    "grey": {"channels": 1},
    "clamped": {"conv_clamp": 2.5},
    "other filter": {"resample_filter": (1.0, 2.0, 1.0, 0.5)},
}
GENERATORS = {**NETWORKS, "without noise": {"use_noise": False}}


def sample(g, n=2):
    z = torch.from_numpy(np.random.RandomState(0).randn(n, g.z_dim)).float()
    c = torch.eye(g.c_dim)[torch.arange(n) % g.c_dim] if g.c_dim else None
    return g(z, c, truncation_psi=0.5)


def score(d, n=4):
    size = d.config.resolution
    images = torch.from_numpy(np.random.RandomState(1).randn(n, d.config.channels, size, size))
    c = torch.eye(d.config.c_dim)[torch.arange(n) % d.config.c_dim] if d.config.c_dim else None
    return d(images.float(), c)


def write(path, header, tensors):
    save_file(tensors, path, header)
    return path


def parts(path):
    with safe_open(path, "pt") as file:
        return dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@pytest.fixture
def path(tmp_path):
    """A sound file with a generator and a discriminator, both with labels."""
    path = tmp_path / "model.safetensors"
    write_native({"G_ema": make_generator(c_dim=3), "D": make_discriminator(c_dim=3)}, path)
    assert latentlab.load(path).discriminator is not None
    return path


def check_refused(path, kind, *words):
    """Load a file that must be refused in one line that names it and the words."""
    with scarce_memory(), pytest.raises(kind) as caught:
        latentlab.load(path)
    message = str(caught.value)
    missing = [word for word in (str(path), *words) if word not in message]
    assert not missing, message
    assert "\n" not in message


# What goes in comes out.


@pytest.mark.parametrize("settings", GENERATORS.values(), ids=GENERATORS)
def test_a_saved_generator_gives_bit_equal_images(settings, tmp_path):
    g = make_generator(**settings)
    latentlab.save(g, tmp_path / "g.safetensors")
    loaded = latentlab.load(tmp_path / "g.safetensors").generator
    assert loaded.config == g.config
    assert torch.equal(sample(loaded), sample(g))


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_a_saved_discriminator_gives_bit_equal_scores(settings, tmp_path):
    d = make_discriminator(**settings)
    write_native({"D": d}, tmp_path / "d.safetensors")
    loaded = latentlab.load(tmp_path / "d.safetensors").discriminator
    assert loaded.config == d.config
    assert torch.equal(score(loaded), score(d))


def test_networks_keep_their_places(tmp_path):
    averaged, raw, d = make_generator(0), make_generator(1), make_discriminator()
    write_native({"G_ema": averaged, "G": raw, "D": d}, tmp_path / "all.safetensors")
    checkpoint = latentlab.load(tmp_path / "all.safetensors")
    assert torch.equal(sample(checkpoint.generator), sample(averaged))
    assert torch.equal(sample(checkpoint.raw_generator), sample(raw))
    assert torch.equal(score(checkpoint.discriminator), score(d))


def test_the_raw_generator_stands_in_where_there_is_no_averaged_one(tmp_path):
    write_native({"G": make_generator(1)}, tmp_path / "raw.safetensors")
    checkpoint = latentlab.load(tmp_path / "raw.safetensors")
    assert torch.equal(sample(checkpoint.generator), sample(make_generator(1)))
    assert checkpoint.discriminator is None


def test_a_file_without_a_generator_says_what_it_holds(tmp_path):
    write_native({"D": make_discriminator()}, tmp_path / "d.safetensors")
    checkpoint = latentlab.load(tmp_path / "d.safetensors")
    assert checkpoint.raw_generator is None
    with pytest.raises(CheckpointError, match=r"d\.safetensors: no generator inside, only D"):
        _ = checkpoint.generator


def test_metadata_survives(tmp_path):
    metadata = {"licence": "CC0, ohne Gewähr", "training": {"kimg": 0.1, "tags": ["a", None]}}
    latentlab.save(make_generator(), tmp_path / "g.safetensors", metadata)
    assert latentlab.load(tmp_path / "g.safetensors").metadata == metadata


def test_the_digest_and_the_path_are_the_files(path):
    checkpoint = latentlab.load(path)
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (checkpoint.path, checkpoint.kind) == (path, "stylegan2-native")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_load_as_float32(dtype, tmp_path):
    g, path = make_generator(), tmp_path / "g.safetensors"
    latentlab.save(g, path)
    header, tensors = parts(path)
    write(path, header, {name: tensor.to(dtype) for name, tensor in tensors.items()})
    loaded = latentlab.load(path).generator.state_dict()
    for name, weight in g.state_dict().items():
        assert loaded[name].dtype == torch.float32
        assert torch.equal(loaded[name], weight.to(dtype).float())


def test_networks_are_in_eval_mode_without_gradients(path):
    for network in latentlab.load(path).networks.values():
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())


def test_weights_do_not_depend_on_the_file_any_more(path):
    g = latentlab.load(path).generator
    before = sample(g)
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(sample(g), before)


def test_saving_again_keeps_where_the_weights_came_from(path, tmp_path):
    source = {"kind": "stylegan2-native", "file": path.name,
              "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}  # fmt: skip
    for name in ("second.safetensors", "third.safetensors"):
        latentlab.save(latentlab.load(path), tmp_path / name, {"note": name})
        path = tmp_path / name
        assert latentlab.load(path).metadata == {"source": source, "note": name}
    assert torch.equal(
        score(latentlab.load(path).discriminator), score(make_discriminator(c_dim=3))
    )


def test_a_checkpoint_can_be_saved_over_itself(path):
    before = latentlab.load(path)
    latentlab.save(before, path)
    assert torch.equal(sample(latentlab.load(path).generator), sample(before.generator))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/g\.safetensors: cannot be written"):
        latentlab.save(make_generator(), tmp_path / "nowhere" / "g.safetensors")
    assert list(tmp_path.iterdir()) == []


# What is no checkpoint.


@pytest.mark.parametrize("name", ["none.safetensors", "x" * 300], ids=["missing", "long name"])
def test_d01_a_missing_file_is_named(name, tmp_path):
    check_refused(tmp_path / name, CheckpointError)


def test_d01_a_folder_is_no_checkpoint(tmp_path):
    check_refused(tmp_path, CheckpointError, "not a file")


def test_d01_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    check_refused(tmp_path / "pipe", CheckpointError, "not a file")


def test_an_unknown_bundled_model_lists_those_there_are():
    check_refused("builtin:faces", CheckpointError, "builtin:digits-stylegan2")


@pytest.mark.parametrize("content", [b"", b"{", b"12345678"])
def test_d01_a_file_too_short_to_tell_is_truncated(content, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    check_refused(tmp_path / "x.safetensors", TruncatedCheckpoint, f"{len(content)} bytes")


@pytest.mark.parametrize(
    "content",
    [b"once upon a time\n" * 9, b"<html>404 Not Found</html>", bytes(64)],
    ids=["text", "web page", "zeros"],
)
def test_other_content_is_unsupported(content, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    check_refused(tmp_path / "x.safetensors", UnsupportedCheckpoint)


def test_a_zip_of_something_else_is_unsupported(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.safetensors", "w") as archive:
        archive.writestr("word/document.xml", "{}")
    check_refused(tmp_path / "x.safetensors", UnsupportedCheckpoint)


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


@pytest.mark.parametrize("protocol", range(6))
def test_c01_a_pickle_is_not_run(protocol, tmp_path):
    marker = tmp_path / "marker"
    content = pickle.dumps({"G_ema": Payload(marker)}, protocol)
    (tmp_path / "x.pkl").write_bytes(content)
    check_refused(tmp_path / "x.pkl", UnsafeCheckpoint if protocol >= 2 else UnsupportedCheckpoint)
    assert not marker.exists()
    pickle.loads(content)
    assert marker.exists(), "the payload does nothing, so the test shows nothing"


# Damage.


def test_d02_every_truncation_is_refused(path, tmp_path):
    content = path.read_bytes()
    lengths = {*range(0, len(content), 131), *range(len(content) - 64, len(content))}
    for length in lengths:
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="cut"):
            latentlab.load(tmp_path / "cut")


def test_d03_flipped_bytes_are_refused_or_leave_a_whole_model(path, tmp_path):
    content = path.read_bytes()
    header = 8 + struct.unpack("<Q", content[:8])[0]
    rng = np.random.RandomState(0)
    places = [*rng.randint(header, size=200), *rng.randint(len(content), size=100)]
    refusals = 0
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= rng.randint(1, 256)
        (tmp_path / "flipped").write_bytes(flipped)
        try:
            checkpoint = latentlab.load(tmp_path / "flipped")
            g, d = checkpoint.generator, checkpoint.discriminator
        except CheckpointError:
            refusals += 1
            continue
        for network, whole in ((g, make_generator(c_dim=3)), (d, make_discriminator(c_dim=3))):
            weights = network.state_dict()
            assert {k: t.shape for k, t in weights.items()} == {
                k: t.shape for k, t in whole.state_dict().items()
            }, f"byte {place}"
            assert all(bool(t.isfinite().all()) for t in weights.values()), f"byte {place}"
        assert sample(g).shape == (2, 3, 16, 16), f"byte {place}"
        assert score(d).shape == (4, 1), f"byte {place}"
    assert 100 < refusals < 300


def raw_file(header, size=0, length=None):
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(size)


def entries(**tensors):
    described = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        for name, (dtype, shape, offsets) in tensors.items()
    }
    return json.dumps(described).encode()


SOUND = entries(a=("F32", [2], [0, 8]))
DAMAGED = {
    "header longer than the file": raw_file(SOUND, 8, length=10_000),
    "header over 100 MB": raw_file(SOUND, 8, length=2**27),
    "header of 2^63 bytes": raw_file(SOUND, 8, length=2**63),
    "header cut": raw_file(SOUND[:-9]),
    "header not JSON": raw_file(b"{'a': 1}"),
    "header not UTF-8": raw_file(b'{"\xff\xfe": 1}'),
    "no data": raw_file(SOUND),
    "trailing bytes": raw_file(SOUND, 9),
    "hole": raw_file(entries(a=("F32", [1], [0, 4]), b=("F32", [1], [8, 12])), 12),
    "overlap": raw_file(entries(a=("F32", [2], [0, 8]), b=("F32", [2], [4, 12])), 12),
    "offsets backwards": raw_file(entries(a=("F32", [2], [8, 0])), 8),
    "offsets negative": raw_file(entries(a=("F32", [2], [-8, 0])), 8),
    "shape of another size": raw_file(entries(a=("F32", [3], [0, 8])), 8),
    "shape that overflows": raw_file(entries(a=("F32", [2**62, 2**62], [0, 8])), 8),
    "unknown type": raw_file(entries(a=("F33", [2], [0, 8])), 8),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_d15_a_damaged_file_is_named(content, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    check_refused(tmp_path / "x.safetensors", TruncatedCheckpoint)


def test_d15_trailing_bytes_are_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    check_refused(path, TruncatedCheckpoint)


def test_d15_a_weight_listed_twice_is_refused(path):
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header, data = content[8 : 8 + size].rstrip(), content[8 + size :]
    start = header.index(b'"D.b4.out.bias"')
    again = header[start : header.index(b"}", start) + 1]
    path.write_bytes(raw_file(header[:-1] + b"," + again + b"}") + data)
    check_refused(path, CheckpointError, "D.b4.out.bias")


# Weights that do not fit.

FIRST = "G_ema.mapping.fc0.weight"
SWAPS = {
    "missing": (lambda _: None, "is missing"),
    "misshapen": (lambda t: t.T.contiguous(), "has shape [11, 5], not [5, 11]"),
    "flat": (lambda t: t.flatten(), "has shape [55], not [5, 11]"),
    "integers": (lambda t: t.int(), "torch.int32"),
    "complex": (lambda t: t.to(torch.complex64), "torch.complex64"),
    "NaN": (lambda t: t * float("nan"), "NaN or infinity"),
    "infinity": (lambda t: t / 0, "NaN or infinity"),
    "beyond float32": (lambda t: t.double().sign() * 1e300, "NaN or infinity"),
}


@pytest.mark.parametrize(("change", "words"), SWAPS.values(), ids=SWAPS)
def test_d17_a_weight_that_does_not_fit_is_named(change, words, path):
    header, tensors = parts(path)
    changed = change(tensors.pop(FIRST))
    if changed is not None:
        tensors[FIRST] = changed
    check_refused(
        write(path, header, tensors), CheckpointError, "G_ema", "mapping.fc0.weight", words
    )


def test_d17_all_weights_that_do_not_fit_are_listed_at_once(path):
    header, tensors = parts(path)
    del tensors["G_ema.mapping.w_avg"]
    tensors["G_ema.mapping.fc9.weight"] = torch.zeros(5, 5)
    tensors["G_ema.mapping.fc0.bias"] = torch.zeros(7)
    tensors["G_ema.mapping.fc1.bias"] = torch.zeros(5, dtype=torch.int64)
    tensors["G_ema.synthesis.b8.conv1.weight"].fill_(float("inf"))
    check_refused(
        write(path, header, tensors), CheckpointError,
        "mapping.w_avg is missing", "mapping.fc9.weight is not part", "mapping.fc0.bias has shape",
        "mapping.fc1.bias has type", "synthesis.b8.conv1.weight holds NaN",
    )  # fmt: skip


def test_d17_nan_is_accepted_when_asked_for(path):
    header, tensors = parts(path)
    tensors[FIRST][0, 0] = float("nan")
    write(path, header, tensors)
    weight = latentlab.load(path, allow_nonfinite=True).generator.mapping.fc0.weight
    assert int(weight.isnan().sum()) == 1


@pytest.mark.parametrize("stray", ["H.weight", "weight", "G_emaX.weight"])
def test_weights_of_no_described_network_are_named(stray, path):
    header, tensors = parts(path)
    tensors[stray] = torch.zeros(3)
    check_refused(write(path, header, tensors), CheckpointError, stray)


# Descriptions that do not fit.


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", "otherlab", "a bare state dict"),
        ("format_version", "2", "version 2"),
        ("networks", "{", "JSON"),
        ("networks", "[]", "JSON"),
        ("networks", "[" * 100_000, "JSON"),
        ("networks", '{"G_ema": ' + "9" * 5000 + "}", "JSON"),
        ("networks", "{}", "D.b16"),
        ("networks", '{"G_ema": 1}', "G_ema"),
        ("networks", '{"G_ema": {"type": "stylegan9", "config": {}}}', "G_ema"),
        ("networks", '{"G_ema": {"type": ["classifier"], "config": {}}}', "G_ema"),
        ("networks", '{"G_ema": {"type": "stylegan2-generator"}}', "resolution"),
        ("networks", '{"G_ema": {"type": "stylegan2-generator", "config": null}}', "G_ema"),
        ("networks", '{"G_ema": {"type": "stylegan2-generator", "config": [1]}}', "G_ema"),
        ("metadata", "{", "JSON"),
        ("metadata", "[]", "JSON"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(key, value, words, path):
    header, tensors = parts(path)
    check_refused(write(path, {**header, key: value}, tensors), CheckpointError, words)


CONFIGS = {
    "G_ema": [
        ("resolution", [0, 3, 48, 65536, 16.0, "16", None]),
        ("channels", [0, -3, 10**9]),
        ("c_dim", [-1, 10**9]),
        ("channel_base", [0, 8]),
        ("channel_max", [0, 10**9]),
        (
            "resample_filter",
            [3, "abc", [1], [1, "x"], [1, -1], [1e400, 1], [2e19, 1], [10**400, 1], [1e-30, 0]],
        ),
        ("conv_clamp", ["x", -1.0]),
        ("z_dim", [0, 10**9]),
        ("w_dim", [0, 2.5]),
        ("mapping_layers", [-1, 10**9, "2"]),
        ("mapping_lr_multiplier", ["x", None, 1e400]),
        ("embed_features", [-1, 10**18, "x"]),
        ("layer_features", [-5, 2.5, 10**18, "x"]),
        ("architecture", ["unet", ["skip"]]),
        ("use_noise", ["no"]),
        ("colour_of_hair", ["red"]),
    ],
    "D": [
        ("mapping_layers", [-1, 5000, "8"]),
        ("cmap_dim", [-1, 10**18, "x"]),
        ("mbstd_group_size", [0, "x"]),
        ("mbstd_num_channels", [-1, 3, "x"]),
    ],
}
ROWS = [
    (network, field, value)
    for network, fields in CONFIGS.items()
    for field, values in fields
    for value in values
]


def with_config(path, network, **settings):
    header, tensors = parts(path)
    networks = json.loads(header["networks"])
    networks[network]["config"] |= settings
    return write(path, {**header, "networks": json.dumps(networks)}, tensors)


@pytest.mark.parametrize(("network", "field", "value"), ROWS)
def test_d18_a_setting_out_of_range_is_refused_before_the_network_is_built(
    network, field, value, path
):
    with_config(path, network, **{field: value})
    with scarce_memory(), pytest.raises(UnsupportedCheckpoint, match=field):
        latentlab.load(path)


@pytest.mark.parametrize(
    ("field", "value"), [("resolution", 48), ("resample_filter", 3), ("colour_of_hair", "red")]
)
def test_a_setting_out_of_range_is_told_with_file_and_network(field, value, path):
    check_refused(
        with_config(path, "G_ema", **{field: value}), UnsupportedCheckpoint, "G_ema", field
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"channel_max": 8192, "channel_base": 10**12},
        {"z_dim": 65536, "w_dim": 65536, "mapping_layers": 64},
    ],
)
def test_d18_a_network_beyond_the_budget_is_refused_without_memory(settings, path):
    check_refused(with_config(path, "G_ema", **settings), UnsupportedCheckpoint, "G_ema", "weights")


def test_the_config_is_the_generators_or_the_only_networks(tmp_path):
    g, d = make_generator(), make_discriminator()
    write_native({"D": d, "G": g}, tmp_path / "both.safetensors")
    write_native({"D": d}, tmp_path / "d.safetensors")
    assert latentlab.load(tmp_path / "both.safetensors").config == g.config
    assert latentlab.load(tmp_path / "d.safetensors").config == d.config
    classifier = latentlab.load("builtin:digits-classifier")
    assert classifier.config == classifier.classifier.config


def test_networks_that_share_tensors_are_written_each(tmp_path):
    g, other = make_generator(), make_generator(seed=1)
    other.mapping = g.mapping  # one module in two networks
    tied = torch.zeros(2, *g.w_mean.shape)
    g.w_mean.data, other.w_mean.data = tied[0], tied[1]  # two parts of one array
    opened = Checkpoint("stylegan2-native", "0" * 64, tmp_path, {"G_ema": g, "G": other})
    latentlab.save(opened, tmp_path / "m.safetensors")
    again = latentlab.load(tmp_path / "m.safetensors")
    for name, network in opened.networks.items():
        weights = again.networks[name].state_dict()
        assert all(torch.equal(weights[key], x) for key, x in network.state_dict().items())
