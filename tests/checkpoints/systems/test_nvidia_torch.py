import json
import pickletools

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import latentlab
from latentlab import CheckpointError, UnsupportedCheckpoint
from latentlab.networks.config import MappingConfig
from latentlab.networks.mapping import MappingNetwork
from tests.conftest import make_discriminator, make_generator
from tests.support.snapshots import Persistent, write_snapshot
from tests.support.tolerances import IMAGE, SCORE, W

SYNTHESIS = {"channel_base": 128, "channel_max": 8, "num_fp16_res": 4, "conv_clamp": None}
GENERATOR = {"z_dim": 6, "c_dim": 0, "w_dim": 5, "img_resolution": 16, "img_channels": 3}
GENERATOR |= {"mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": SYNTHESIS}
DISCRIMINATOR = {"c_dim": 0, "img_resolution": 16, "img_channels": 3}
DISCRIMINATOR |= {"channel_base": 128, "channel_max": 8, "num_fp16_res": 4}


def with_synthesis(**changes):
    return {**GENERATOR, "synthesis_kwargs": {**SYNTHESIS, **changes}}


def images_of(g, labels=None):
    z = torch.from_numpy(np.random.RandomState(0).randn(2, g.z_dim)).float()
    return g(z, labels, truncation_psi=0.5)


def equal_weights(a, b):
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


# Genuine files.


@pytest.fixture(params=["skip", "cond"])
def genuine(request, shared):
    name = f"ada_{request.param}_32"
    return latentlab.load(shared / f"{name}.pkl"), np.load(shared / f"{name}_ref.npz"), name


def test_the_checkpoint_says_what_it_is(genuine):
    checkpoint, _, name = genuine
    assert checkpoint.kind == "stylegan2-ada"
    assert list(checkpoint.networks) == ["G_ema", "G", "D"]
    assert checkpoint.generator is checkpoint.networks["G_ema"]
    assert checkpoint.metadata["training_set"]["path"] == f"/data/{name}.zip"
    assert checkpoint.metadata.get("ignored", []) == (["augment_pipe"] if "skip" in name else [])


def test_weights_are_those_of_the_official_state_dict(genuine, shared):
    checkpoint, _, name = genuine
    official = load_file(shared / f"{name}_state.safetensors")
    ours = {
        f"{part}.{key}": value
        for part in ("G_ema", "D")
        for key, value in checkpoint.networks[part].state_dict().items()
    }
    assert ours.keys() == official.keys()
    assert all(torch.equal(ours[key], official[key]) for key in official)
    assert not equal_weights(checkpoint.generator, checkpoint.raw_generator)


def test_outputs_are_those_of_the_official_code(genuine):
    checkpoint, ref, _ = genuine
    g, d = checkpoint.generator, checkpoint.discriminator
    z = torch.from_numpy(ref["z"]).float()
    c = torch.from_numpy(ref["c"]) if ref["c"].size else None
    ws = g.mapping(z, c)
    np.testing.assert_allclose(ws[:, :1], ref["ws"], atol=W, rtol=0)
    np.testing.assert_allclose(
        g.mapping(z, c, 0.7, 4), ref["ws_psi07_cut4"], atol=W, rtol=0
    )  # fmt: skip
    images = g.synthesis(ws)
    np.testing.assert_allclose(images, ref["img_const"], atol=IMAGE, rtol=0)
    np.testing.assert_allclose(
        g.synthesis(ws, "none"), ref["img_none"], atol=IMAGE, rtol=0
    )  # fmt: skip
    for n in (1, 2, 4, 8):
        labels = None if c is None else c[:n]
        given = torch.from_numpy(ref["img_const"][:n])
        np.testing.assert_allclose(d(given, labels), ref[f"d_n{n}"], atol=SCORE, rtol=0)


def test_a_genuine_pickle_survives_saving(genuine, tmp_path):
    checkpoint, _, _ = genuine
    latentlab.save(checkpoint, tmp_path / "again.safetensors")
    again = latentlab.load(tmp_path / "again.safetensors")
    assert all(equal_weights(again.networks[k], n) for k, n in checkpoint.networks.items())
    assert again.metadata["source"]["kind"] == "stylegan2-ada"
    assert again.metadata["training_set"] == json.loads(
        json.dumps(checkpoint.metadata["training_set"])
    )


def test_the_source_text_is_never_run(shared, monkeypatch, tmp_path):
    """The fixture's source raises when run; here running it would make a file as well."""
    import builtins
    import sys

    marker = tmp_path / "marker"
    content = (shared / "ada_skip_32.pkl").read_bytes()
    source = max(
        (arg for op, arg, _ in pickletools.genops(content) if "UNICODE" in op.name), key=len
    )
    hostile = f"open({str(marker)!r}, 'w')".ljust(len(source))[: len(source)]
    assert content.count(source.encode()) == 1
    path = tmp_path / "hostile.pkl"
    path.write_bytes(content.replace(source.encode(), hostile.encode()))

    def forbidden(*_):
        raise AssertionError("the checkpoint's source was run")

    latentlab.load(shared / "ada_skip_32.pkl")  # whatever loading imports is there now
    before = set(sys.modules)
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "exec", forbidden)
        patch.setattr(builtins, "eval", forbidden)
        opened = latentlab.load(path)
    assert set(sys.modules) == before
    assert not marker.exists()
    genuine = latentlab.load(shared / "ada_skip_32.pkl")
    assert equal_weights(opened.generator, genuine.generator)


# Snapshots written here, in the genuine form.


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a snapshot of our own networks as the official code would."""

    def snapshot(g, kwargs=None, d=None, d_kwargs=None, args=(), d_args=(), protocol=4, **rest):
        found = {"training_set_kwargs": None}
        if d is not None:
            found["D"] = Persistent(d, "Discriminator", d_args, d_kwargs)
        found["G_ema"] = Persistent(g, "Generator", args, kwargs)
        found |= {"augment_pipe": None, **rest}
        return write_snapshot(tmp_path / "network.pkl", found, monkeypatch, protocol)

    return snapshot


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_every_protocol_and_architecture_opens(protocol, architecture, write):
    g, d = make_generator(architecture=architecture), make_discriminator(architecture=architecture)
    d_kwargs = {**DISCRIMINATOR, "architecture": architecture}
    opened = latentlab.load(
        write(g, with_synthesis(architecture=architecture), d, d_kwargs, protocol=protocol)
    )
    assert list(opened.networks) == ["G_ema", "D"]
    assert opened.config == g.config
    assert opened.discriminator.config == d.config
    assert equal_weights(opened.generator, g)
    assert equal_weights(opened.discriminator, d)
    assert torch.equal(images_of(opened.generator), images_of(g))
    assert opened.raw_generator is None
    assert dict(opened.metadata) == {}


def test_labels_and_clamping_are_honoured(write):
    g, d = make_generator(c_dim=3, conv_clamp=0.5), make_discriminator(c_dim=3, conv_clamp=0.25)
    kwargs = {**with_synthesis(conv_clamp=0.5), "c_dim": 3}
    d_kwargs = {**DISCRIMINATOR, "c_dim": 3, "conv_clamp": 0.25, "cmap_dim": None}
    opened = latentlab.load(write(g, kwargs, d, d_kwargs))
    assert opened.config.conv_clamp == 0.5
    labels = torch.eye(3)[:2]
    assert torch.equal(images_of(opened.generator, labels), images_of(g, labels))
    x = torch.from_numpy(np.random.RandomState(1).randn(2, 3, 16, 16)).float()
    assert torch.equal(opened.discriminator(x, labels), d(x, labels))
    assert not torch.equal(make_discriminator(c_dim=3)(x, labels), d(x, labels))


def test_arguments_by_position(write):
    g, d = make_generator(), make_discriminator(architecture="skip")
    args = (6, 0, 5, 16, 3, {"num_layers": 2}, SYNTHESIS)
    opened = latentlab.load(
        write(g, args=args, d=d, d_args=(0, 16, 3, "skip", 128), d_kwargs={"channel_max": 8})
    )
    assert equal_weights(opened.generator, g)
    assert opened.discriminator.config == d.config


@pytest.mark.parametrize(
    ("args", "kwargs"), [((6,), GENERATOR), ((6, 0, 5, 16, 3, {"num_layers": 2}, SYNTHESIS, 1), {})]
)
def test_an_argument_too_many_is_refused(args, kwargs, write):
    with pytest.raises(UnsupportedCheckpoint, match=r"network\.pkl: G_ema: an argument too many"):
        latentlab.load(write(make_generator(), kwargs, args=args))


def test_the_mapping_arguments_of_an_unconditional_discriminator_do_not_matter(write):
    mapping = {"num_layers": 0, "embed_features": None, "layer_features": None}
    mapping |= {"activation": "lrelu", "lr_multiplier": 0.1}
    d = make_discriminator()
    path = write(make_generator(), GENERATOR, d, {**DISCRIMINATOR, "mapping_kwargs": mapping})
    assert equal_weights(latentlab.load(path).discriminator, d)


# As the official converter writes the mapping network of labels; all its layers are 8 wide here.
LEGACY = {"num_layers": 3, "embed_features": None, "layer_features": None, "activation": "lrelu",
          "lr_multiplier": 0.01, "w_avg_beta": None}  # fmt: skip


def conditional(write, **changes):
    """Return a file whose D has labels and such mapping settings, and that D."""
    mapping = {**LEGACY, **changes}
    d = make_discriminator(c_dim=3)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        config = MappingConfig(0, 8, mapping["num_layers"], mapping["lr_multiplier"])
        d.mapping = MappingNetwork(config, 3, None).requires_grad_(False)
    for i in range(mapping["num_layers"]):
        d.mapping.get_submodule(f"fc{i}").bias += 0.5
    kwargs = {**DISCRIMINATOR, "c_dim": 3, "cmap_dim": None, "mapping_kwargs": mapping}
    g = make_generator(c_dim=3)
    return write(g, {**GENERATOR, "c_dim": 3}, d, kwargs), d


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"embed_features": 8, "layer_features": 8, "w_avg_beta": 0.995},
        {"lr_multiplier": 0.1},
        {"lr_multiplier": 1},
        {"num_layers": 0, "lr_multiplier": 0.1},
    ],
)
def test_a_converted_discriminator_with_labels_opens(changes, write):
    path, d = conditional(write, **changes)
    x = torch.from_numpy(np.random.RandomState(1).randn(2, 3, 16, 16)).float()
    labels = torch.eye(3)[:2]
    opened = latentlab.load(path).discriminator
    torch.testing.assert_close(opened(x, labels), d(x, labels), atol=SCORE, rtol=0)
    assert (opened(x, labels) - opened(x, labels.flip(0))).abs().min() > 10 * SCORE


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"embed_features": 7}, "embed_features"),
        ({"layer_features": 9}, "layer_features"),
        ({"layer_features": "8"}, "layer_features"),
        ({"widths": 8}, "unknown setting widths"),
    ],
)
def test_discriminators_with_other_mapping_networks_of_labels_are_left_aside(changes, word, write):
    path, _ = conditional(write, **changes)
    check_left_aside(latentlab.load(path), "D: mapping_kwargs", word)


@pytest.mark.parametrize("rate", [0, -1, "0.01", None, True, [1]])
def test_discriminators_with_rates_that_are_none_are_left_aside(rate, write):
    kwargs = {**DISCRIMINATOR, "c_dim": 3, "mapping_kwargs": {**LEGACY, "lr_multiplier": rate}}
    path = write(make_generator(), GENERATOR, make_discriminator(c_dim=3), kwargs)
    check_left_aside(latentlab.load(path), "D: mapping_kwargs", "lr_multiplier")


def check_left_aside(opened, *words):
    """Require a generator without its discriminator, and a note that says why in these words."""
    assert list(opened.networks) == ["G_ema"]
    assert opened.metadata["ignored"][-1:] == ["D"]
    (note,) = opened.metadata["notes"]
    assert note.startswith("The discriminator is left aside")
    assert [word for word in words if word not in note] == [], note
    assert str(opened.path) not in note


# The StyleGAN3 release writes StyleGAN2 too: what was nested stands beside the other arguments.
FLAT = {**GENERATOR, **SYNTHESIS, "fused_modconv_default": "inference_only"}
del FLAT["synthesis_kwargs"], FLAT["conv_clamp"]


@pytest.mark.parametrize("clamp", [{}, {"conv_clamp": None}, {"conv_clamp": 0.5}], ids=str)
@pytest.mark.parametrize("architecture", ["skip", "resnet"])
def test_stylegan2_of_the_stylegan3_release_opens(architecture, clamp, write):
    """Its limit of activations is 256 where none is given; ADA's release has none."""
    held = clamp.get("conv_clamp", 256)
    g = make_generator(architecture=architecture, conv_clamp=held)
    d = make_discriminator(conv_clamp=held)
    kwargs = {**FLAT, "architecture": architecture, **clamp}
    opened = latentlab.load(write(g, kwargs, d, {**DISCRIMINATOR, **clamp}))
    assert opened.kind == "stylegan2-ada"
    assert opened.config == g.config
    assert opened.discriminator.config == d.config
    assert equal_weights(opened.generator, g)
    assert torch.equal(images_of(opened.generator), images_of(g))


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"synthesis_kwargs": {}}, "channel_base"), ({"kernel_size": 5}, "kernel_size"),
     ({"architecture": "unet"}, "architecture"), ({"num_layers": 14}, "num_layers")],
)  # fmt: skip
def test_flat_arguments_that_do_not_fit_are_named(changes, word, write):
    path = write(make_generator(), {**FLAT, **changes})
    check_refused(path, UnsupportedCheckpoint, "G_ema", word)


def test_only_the_averaged_generator_is_needed(tmp_path, monkeypatch):
    g = make_generator()
    found = {"G_ema": Persistent(g, "Generator", (), GENERATOR)}
    opened = latentlab.load(write_snapshot(tmp_path / "g.pkl", found, monkeypatch))
    assert list(opened.networks) == ["G_ema"]
    assert opened.discriminator is None


def test_other_facts_are_kept_or_named(write):
    facts = {"path": "/data/faces.zip", "resolution": 16, "max_size": None}
    odd = Persistent(make_generator(), "AugmentPipe")
    path = write(make_generator(), GENERATOR, training_set_kwargs=facts, augment_pipe=odd,
                 progress={"cur_nimg": 3})  # fmt: skip
    assert dict(latentlab.load(path).metadata) == {
        "training_set": facts, "ignored": ["augment_pipe", "progress"],
    }  # fmt: skip
    path = write(make_generator(), GENERATOR, training_set_kwargs={"mean": float("nan")})
    assert dict(latentlab.load(path).metadata) == {"ignored": ["training_set_kwargs"]}


# What does not fit.


def check_refused(path, kind, *words):
    with pytest.raises(kind) as caught:
        latentlab.load(path)
    message = str(caught.value)
    assert [word for word in (str(path), *words) if word not in message] == [], message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({**GENERATOR, "warmth": 1}, ["G_ema: unknown setting warmth"]),
        ({**GENERATOR, "img_resolution": 48}, ["resolution"]),
        ({**GENERATOR, "img_resolution": 65536}, ["resolution"]),
        ({**GENERATOR, "img_resolution": "16"}, ["resolution"]),
        ({**GENERATOR, "mapping_kwargs": {"num_layers": 10**6}}, ["mapping_layers"]),
        (with_synthesis(architecture="unet"), ["architecture"]),
        (with_synthesis(activation="relu"), ["lrelu"]),
        ({**GENERATOR, "z_dim": [[[[[[[[1]]]]]]]]}, ["more settings"]),
        ({**GENERATOR, "z_dim": list(range(9000))}, ["more settings"]),
        ({**GENERATOR, "z_dim": b"6"}, ["plain value", "bytes"]),
        ({**GENERATOR, "z_dim": 1j}, ["not a plain value (builtins.complex)"]),
        ({**GENERATOR, "a\nb": 1}, ["plain value"]),
        (None, ["resolution"]),
    ],
)
def test_arguments_that_do_not_fit_are_named(kwargs, words, write):
    check_refused(write(make_generator(), kwargs), CheckpointError, *words)


def test_weights_that_do_not_fit_are_all_named(write):
    g, d = make_generator(), make_discriminator()
    fc0, conv1 = g.mapping.fc0, g.synthesis.b8.conv1
    del fc0._parameters["weight"]
    fc0._parameters["extra"] = torch.nn.Parameter(torch.zeros(2))
    fc0._parameters["bias"] = torch.nn.Parameter(torch.zeros(7))
    conv1._buffers["noise_const"] = torch.zeros(8, 8, dtype=torch.int64)
    conv1.weight.fill_(float("nan"))
    check_refused(
        write(g, GENERATOR, d, DISCRIMINATOR), CheckpointError, "G_ema: weights do not fit",
        "mapping.fc0.weight is missing", "mapping.fc0.extra is not part",
        "mapping.fc0.bias has shape [7]", "synthesis.b8.conv1.noise_const has type torch.int64",
        "synthesis.b8.conv1.weight holds NaN",
    )  # fmt: skip


def test_nan_is_accepted_when_asked_for(write):
    g = make_generator()
    g.mapping.fc0.weight[0, 0] = float("nan")
    path = write(g, GENERATOR)
    check_refused(path, CheckpointError, "mapping.fc0.weight holds NaN")
    assert (
        latentlab.load(path, allow_nonfinite=True).generator.mapping.fc0.weight.isnan().sum() == 1
    )


def test_temporary_buffers_are_left_aside(write):
    g = make_generator()
    g.mapping.register_buffer("scratch", torch.ones(3), persistent=False)
    assert "scratch" not in dict(latentlab.load(write(g, GENERATOR)).generator.mapping._buffers)


def test_networks_of_other_classes_are_refused(tmp_path, monkeypatch):
    found = {"G_ema": Persistent(make_generator(), "SongUNet", (), GENERATOR)}
    path = write_snapshot(tmp_path / "x.pkl", found, monkeypatch)
    check_refused(path, UnsupportedCheckpoint, "G_ema: expected the class Generator", "SongUNet")


@pytest.mark.parametrize(
    "strange",
    [
        {"a": 1},
        torch.ones(2),
        Persistent(torch.nn.Linear(2, 2), "ProjectedDiscriminator"),
        torch.nn.Linear(2, 2),
        "text",
    ],
    ids=["dict", "tensor", "another class", "a plain module", "text"],
)
def test_discriminators_of_strangers_are_left_aside(strange, tmp_path, monkeypatch):
    g = make_generator()
    found = {"G_ema": Persistent(g, "Generator", (), GENERATOR), "D": strange}
    opened = latentlab.load(write_snapshot(tmp_path / "x.pkl", found, monkeypatch))
    check_left_aside(opened, "D: expected")
    assert equal_weights(opened.generator, g)
