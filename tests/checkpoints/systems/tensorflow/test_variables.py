"""Variables of TensorFlow pickles that do not fit, and damaged files."""

import pickletools

import numpy as np
import pytest

import latentlab
from latentlab import CheckpointError
from tests.support import attacks
from tests.support.tensorflow.pickles import make_discriminator, make_generator, write_pickle


def with_variables(edit, part=None):
    g, *_ = make_generator()
    state = g.part(part) if part else g.state
    state["variables"] = edit(state["variables"])
    return g


def test_variables_that_do_not_fit_are_all_named(refuse):
    def edit(variables):
        found = dict(variables)
        del found["4x4/Conv/bias"], found["noise3"]
        found["8x8/Conv1/weight"] = found["8x8/Conv1/weight"][..., :-1]
        found["16x16/Conv1/bias"] = found["16x16/Conv1/bias"].astype(int)
        found["8x8/Conv1/bias"] = "text"
        found["4x4/Const/const"] = found["4x4/Const/const"][0]
        found["ToRGB_lod0/bias"] = np.float32(3)
        found["ToRGB_lod9/bias"] = np.zeros(3, np.float32)
        return [*found.items(), ("noise0", found["noise0"]), ("4x4/Conv/weight", 1.0)]

    refuse(
        with_variables(edit, "synthesis"), CheckpointError, "G_ema: weights do not fit: ",
        "synthesis/4x4/Conv/bias is missing", "synthesis/noise3 is missing",
        "synthesis/8x8/Conv1/weight has shape [3, 3, 6, 5], not [3, 3, 6, 6]",
        "synthesis/16x16/Conv1/bias has type int64", "synthesis/8x8/Conv1/bias has type str",
        "synthesis/4x4/Const/const has shape [8, 4, 4], not [1, 8, 4, 4]",
        "synthesis/ToRGB_lod0/bias has shape [], not [3]",
        "synthesis/ToRGB_lod9/bias is not part of the network",
        "synthesis/noise0 is there twice", "synthesis/4x4/Conv/weight is there twice",
        "synthesis/4x4/Conv/weight has shape [], not [3, 3, 8, 8]",
    )  # fmt: skip


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_named(value, refuse, tmp_path, monkeypatch):
    def edit(variables):
        found = dict(variables)
        found["Dense1/bias"] = np.full_like(found["Dense1/bias"], value)
        return list(found.items())

    found = with_variables(edit, "mapping")
    refuse(found, CheckpointError, "mapping.fc1.bias holds NaN or infinity", where="G_ema: ")
    path = write_pickle(tmp_path / "x.pkl", found, monkeypatch)
    assert latentlab.load(path, allow_nonfinite=True).kind == "stylegan1-tf"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_how_far_a_network_has_grown_is_always_a_number(value, tmp_path, monkeypatch):
    g = with_variables(lambda variables: [*{**dict(variables), "lod": value}.items()])
    d, *_ = make_discriminator()
    d.state["variables"] = [*{**dict(d.state["variables"]), "lod": np.float64(value)}.items()]
    for network, lod in ((g, "G_ema: .* synthesis.lod"), (d, "classifier: .*: lod")):
        path = write_pickle(tmp_path / "x.pkl", network, monkeypatch)
        for allowed in (False, True):
            with pytest.raises(CheckpointError, match=f"{lod} holds NaN or infinity"):
                latentlab.load(path, allow_nonfinite=allowed)


@pytest.mark.parametrize(("value", "size"), [(-1.0, 16), (99.0, 4), (1e30, 4)])
def test_how_far_a_network_has_grown_is_limited_to_its_resolutions(
    value, size, tmp_path, monkeypatch
):
    g = with_variables(lambda variables: [*{**dict(variables), "lod": value}.items()])
    generator = latentlab.load(write_pickle(tmp_path / "x.pkl", g, monkeypatch)).generator
    assert generator.synthesis.stage() == (size, 0.0)


def test_values_beyond_float32_are_refused(refuse):
    def edit(variables):
        return [(k, v if k != "dlatent_avg" else v.astype("f8") * 1e300) for k, v in variables]

    refuse(with_variables(edit), CheckpointError, "mapping.w_avg holds NaN or infinity")


@pytest.mark.parametrize("value", [2**63, 2**900, True, "0", None])
def test_numbers_that_are_none_are_refused(value, refuse):
    found = with_variables(lambda v: [("lod", value), *[pair for pair in v if pair[0] != "lod"]])
    refuse(found, CheckpointError, "lod has type", where="G_ema: weights do not fit: ")


def test_a_whole_number_is_a_number(tmp_path, monkeypatch):
    found = with_variables(lambda v: [("lod", 1), *[pair for pair in v if pair[0] != "lod"]])
    opened = latentlab.load(write_pickle(tmp_path / "x.pkl", found, monkeypatch))
    assert opened.generator.synthesis.lod == 1


def test_spectral_norm_of_endless_weights_is_refused(refuse):
    d, *_ = make_discriminator("D_main", use_spectral_norm=True)
    d.state["variables"] = [
        (k, np.full_like(v, 1e200, "f8") if k == "16x16/Conv0/weight" else v)
        for k, v in d.state["variables"]
    ]
    refuse(d, CheckpointError, "b16.conv0.weight holds NaN", where="classifier: ")


@pytest.mark.parametrize("kind", ["f2", "f8"])
def test_other_float_types_open(kind, tmp_path, monkeypatch):
    g = with_variables(lambda v: [(k, np.asarray(x, kind)) for k, x in v], "mapping")
    assert latentlab.load(write_pickle(tmp_path / "x.pkl", g, monkeypatch)).kind == "stylegan1-tf"


@pytest.mark.parametrize(
    "variables",
    [None, {}, (), [1], [()], [("a",)], [("a", 1, 2)], [["a", 1]], [(1, 2)], [(None, 1)],
     [("x" * 300, 1)], [("x\ny", 1)], [(b"x", 1)]],
)  # fmt: skip
def test_variables_that_are_no_names_and_values_are_refused(variables, refuse):
    refuse(with_variables(lambda _: variables), CheckpointError, "variable", where="G_ema: ")


def test_half_built_arrays_are_refused(refuse):
    """An array that the file begins and never completes is no array."""
    half = attacks.call(attacks.RECONSTRUCT, attacks.NDARRAY, (0,), attacks.octets(b"b"))
    d, *_ = make_discriminator(resolution=4, structure="fixed")
    rows = [(name, attacks.array(value.shape, value.tobytes()) if value.ndim else float(value))
            for name, value in d.state["variables"]]  # fmt: skip
    content = {**d.state, "components": {}, "variables": rows}
    content["variables"] = [(rows[1][0], half), *rows[:1], *rows[2:]]
    refuse(attacks.finish(attacks.network(**content)), CheckpointError,
           f"{rows[1][0]} has type UnbuiltArray")  # fmt: skip


def test_one_array_under_all_names_is_refused(refuse):
    """The same bytes for every weight would cost little to write and much to hold."""
    g, *_ = make_generator()
    large = np.zeros(2**20, np.float32)
    for part in ("synthesis", "mapping"):
        g.part(part)["variables"] = [(name, large) for name, _ in g.part(part)["variables"]]
    refuse(g, CheckpointError, "weights do not fit")


# D2, D3 are rows of the project's list of damage.


@pytest.fixture(params=["G_style", "G_main", "G_paper"])
def sound(request, tmp_path, monkeypatch):
    g, *_ = make_generator(request.param)
    d, *_ = make_discriminator({"G_style": "D_basic", "G_main": "D_main", "G_paper": "D_paper"}[
        request.param])  # fmt: skip
    return write_pickle(tmp_path / "sound.pkl", (g, d), monkeypatch)


def test_d02_every_truncation_is_refused(sound, tmp_path):
    content = sound.read_bytes()
    path = tmp_path / "cut.pkl"
    for length in {*range(2, len(content), 997), *range(len(content) - 32, len(content))}:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"cut\.pkl"):
            latentlab.load(path)


def test_d03_flipped_bytes_are_refused_or_leave_a_whole_model(sound, tmp_path):
    content = sound.read_bytes()
    whole = {k: {n: t.shape for n, t in net.state_dict().items()}
             for k, net in latentlab.load(sound).networks.items()}  # fmt: skip
    # Half of the flips in what is not weights, where they matter more.
    marks = [place for _, _, place in pickletools.genops(content)]
    rng = np.random.RandomState(0)
    path, refused, broken = tmp_path / "flipped.pkl", 0, 0
    for case in range(200):
        flipped = bytearray(content)
        place = marks[rng.randint(2, len(marks))] if case % 2 else rng.randint(9, len(content))
        flipped[place] ^= rng.randint(1, 256)
        path.write_bytes(flipped)
        try:
            opened = latentlab.load(path)
        except CheckpointError as error:
            refused += 1
            broken += "\n" in str(error)
            continue
        for name, network in opened.networks.items():
            if name in whole and opened.config.resolution == 16:
                assert {n: t.shape for n, t in network.state_dict().items()} == whole[name]
            assert all(bool(t.isfinite().all()) for t in network.state_dict().values())
    assert refused > 20
    assert broken == 0
