"""Which files hold an encoder, and what is said of those that do not."""

import argparse

import pytest
import torch
from safetensors.torch import save_file

from latentlab import CheckpointError, SettingsError, UnsupportedCheckpoint, load, load_encoder
from latentlab.encoders.config import E4E, INTO_W, INTO_W_PLUS, PSP
from tests.support.encoders import encoder_state, write_encoder
from tests.support.foreign import rosinality_g


@pytest.fixture
def one():
    return torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def file(tmp_path):
    return tmp_path / "encoder.pt"


@pytest.mark.parametrize(("said", "kind"), [
    (PSP, PSP), (E4E, E4E), (INTO_W, INTO_W), (INTO_W_PLUS, INTO_W_PLUS),
    ("SingleStyleCodeEncoder", INTO_W),
])  # fmt: skip
def test_the_options_say_which_encoder_it_is(said, kind, file):
    num_ws = 1 if kind == INTO_W else 8
    encoder = load_encoder(write_encoder(file, kind, num_ws, encoder_type=said))
    assert encoder.config.encoder_type == kind
    assert (encoder.num_ws, encoder.w_dim, encoder.size) == (num_ws, 12, (256, 256))
    assert not any(weight.requires_grad for weight in encoder.parameters())
    assert not encoder.training


@pytest.mark.parametrize("legacy", [False, True])
def test_every_container_gives_the_same(legacy, file, one, tmp_path):
    state, expected = encoder_state(), load_encoder(write_encoder(file))(one)
    wrapped = {f"module.{name}": value for name, value in state.items()}
    parallel = {"state_dict": wrapped, "opts": argparse.Namespace(encoder_type=PSP)}
    bare = {name.removeprefix("encoder."): value for name, value in state.items()}
    files = [tmp_path / name for name in ("parallel.pt", "bare.pt", "names.safetensors")]
    for place, found in zip(files, (parallel, bare), strict=False):
        torch.save(found, place, _use_new_zipfile_serialization=not legacy)
    save_file(state, files[2])
    assert torch.equal(load_encoder(files[0])(one), expected)
    for place in files[1:]:
        assert torch.equal(load_encoder(place, PSP)(one), expected)


def test_what_the_shapes_cannot_say_is_asked_for(file):
    write_encoder(file, encoder_type=None)
    with pytest.raises(UnsupportedCheckpoint, match=f"give `encoder_type` {PSP}.* or {E4E}"):
        load_encoder(file)
    assert load_encoder(file, E4E).config.encoder_type == E4E
    with pytest.raises(SettingsError, match="`encoder_type` must be one of"):
        load_encoder(file, "e4e")


@pytest.mark.parametrize("kind", [INTO_W, INTO_W_PLUS])
def test_what_the_names_say_is_not_asked_for(kind, file):
    write_encoder(file, kind, num_ws=1 if kind == INTO_W else 8, encoder_type=None)
    assert load_encoder(file).config.encoder_type == kind


@pytest.mark.parametrize(("changes", "asked", "words"), [
    ({}, E4E, f"its options say {PSP}, not {E4E}; leave"),
    ({"encoder_type": INTO_W}, None, f"the weights are not those of a {INTO_W}"),
    ({"encoder_type": "ProgressiveBackboneEncoder"}, None,
     "a 'ProgressiveBackboneEncoder', which is not computed here"),
    ({"output_size": 64}, None, "gives 8 styles, but its options say a generator of 64 px"),
    ({"mean": torch.ones(7, 12)}, None, r"latent_avg has shape \[7, 12\], which does not fit"),
    ({"mean": torch.ones(8, 11)}, None, r"latent_avg has shape \[8, 11\]"),
    ({"mean": torch.full((8, 12), torch.nan)}, None, "latent_avg holds NaN"),
    ({"mean": "none"}, None, "latent_avg is not a tensor"),
])  # fmt: skip
def test_contradictions_are_refused(changes, asked, words, file):
    with pytest.raises(CheckpointError, match=words):
        load_encoder(write_encoder(file, **changes), asked)


@pytest.mark.parametrize(("channels", "words"), [
    (1, "looks at grey sketches, not a photograph"),
    (19, "looks at 19 maps of a segmentation"),
    (6, r"\(ReStyle\)"),
])  # fmt: skip
def test_encoders_of_something_else_than_photographs(channels, words, file):
    state = encoder_state()
    first = "encoder.input_layer.0.weight"
    state[first] = state[first][:, :1].repeat(1, channels, 1, 1)
    with pytest.raises(UnsupportedCheckpoint, match=words):
        load_encoder(write_encoder(file, state=state))


def test_a_network_that_recognises_faces_gives_no_styles(file):
    state = {name: value for name, value in encoder_state(prefix="").items()
             if name.startswith(("input_layer", "body"))}  # fmt: skip
    torch.save({**state, "output_layer.0.weight": torch.ones(16)}, file)
    with pytest.raises(UnsupportedCheckpoint, match="without layers that give styles"):
        load_encoder(file)


@pytest.mark.parametrize("damage", ["missing", "shape", "nan", "text"])
def test_damaged_weights_are_named(damage, file):
    state = encoder_state()
    name = "encoder.body.3.res_layer.1.weight"
    changed = {"shape": torch.ones(3), "nan": torch.full_like(state[name], torch.nan), "text": "x"}
    state[name] = changed.get(damage)
    if damage == "missing":
        del state[name]
    with pytest.raises(CheckpointError, match=r"body\.3\.res_layer\.1\.weight"):
        load_encoder(write_encoder(file, state=state))
    if damage == "nan":
        assert load_encoder(file, allow_nonfinite=True).num_ws == 8


@pytest.mark.parametrize(("content", "words"), [
    (None, "no such file"), (b"", "not a file of torch.save"),
    (b"xyz" * 9, "not a file of torch.save; expected a file of pSp"),
    (b"<html><title>Sorry</title>", r"not a file of torch.save, but an HTML page \('Sorry'\)"),
    (torch.nn.Linear(2, 2), r"an object of type torch\.nn\.modules\.linear\.Linear;"),
    ([1.0], "holds an object of type list"), ({}, "only nothing"),
    ({"g_ema": {}}, "no IR-SE50 encoder inside, only g_ema; expected a file of pSp or e4e"),
])  # fmt: skip
def test_other_files_are_refused(content, words, file):
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(CheckpointError, match=words):
        load_encoder(file)


def test_a_cut_file_is_refused(file):
    write_encoder(file)
    file.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(CheckpointError, match="without its end"):
        load_encoder(file)


def test_an_encoder_of_another_kind_in_a_genuine_layout(shared):
    with pytest.raises(UnsupportedCheckpoint, match=r"only encoder\.0\.weight, encoder\.0\.bias"):
        load_encoder(shared / "reports" / "psp.pt")


def test_one_file_is_the_encoder_and_its_generator(file, one):
    state = encoder_state(E4E, num_ws=8, w_dim=5)
    decoder = rosinality_g(maps=(8, 8, 6, 6))
    state |= {f"decoder.{name}": value for name, value in decoder.items()}
    mean = torch.randn(5, generator=torch.Generator().manual_seed(0)).repeat(8, 1)
    write_encoder(file, E4E, state=state, mean=mean, encoder_type=E4E, stylegan_size=32)
    g, encoder = load(file).generator, load_encoder(file)
    torch.testing.assert_close(g.w_mean, mean[0])
    ws = encoder.ws_for(g, one)
    assert ws.shape == (1, g.num_ws, g.w_dim)
    assert g.synthesis(ws).shape == (1, 3, 32, 32)
