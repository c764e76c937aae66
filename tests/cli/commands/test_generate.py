import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from tests.conftest import (
    make_discriminator,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan3,
)
from tests.support.commands import run, succeeded

SETTINGS = {"resolution": 32, "z_dim": 16, "w_dim": 12}
MIB = 2**20


@pytest.fixture(scope="module")
def g(small):
    return small


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "conditional.safetensors"
    latentlab.save(make_generator(**SETTINGS, c_dim=3), path)
    return path


def generate(*arguments):
    result = run("generate", *arguments)
    assert result.stdout == ""
    return result


def rendered(*arguments):
    return succeeded(generate(*arguments))


def check_refused(code, *arguments):
    """Run a command that must end in an error line and an exit code; returns what it says."""
    result = generate(*arguments)
    assert result.exit_code == code, result.stderr
    assert "Error: " in result.stderr.splitlines()[-1]
    return result.stderr


def pixels(path):
    with Image.open(path) as picture:
        return np.array(picture)


def to_bytes(image):
    """The official scripts' conversion of an image [C,H,W] in [-1,1]."""
    scaled = (image.permute(1, 2, 0) * 127.5 + 128).clamp(0, 255)
    return scaled.to(torch.uint8).numpy()


def z_of(seed, g):
    return torch.from_numpy(np.random.RandomState(seed).randn(1, g.z_dim).astype(np.float32))


def some_ws(g, n=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, g.num_ws, g.w_dim)).astype(np.float32)


def some_noise(n=3, seed=1):
    rng = np.random.default_rng(seed)
    sizes = [4, 8, 8, 16, 16, 32, 32]
    return {f"noise_{i}": rng.standard_normal((n, 1, s, s)) for i, s in enumerate(sizes)}


# From seeds.


def test_each_seed_is_rendered_as_by_hand(g, model, tmp_path):
    result = rendered(model, "--seeds", "0,3,8-9", "-o", tmp_path)
    names = {f"seed{seed:04d}.png" for seed in (0, 3, 8, 9)}
    assert {path.name for path in tmp_path.iterdir()} == {*names, "grid.png"}
    for seed in (0, 3, 8, 9):
        picture = pixels(tmp_path / f"seed{seed:04d}.png")
        assert picture.std() > 20
        assert np.array_equal(picture, to_bytes(g(z_of(seed, g))[0]))
    assert str(tmp_path) in result.stderr


def test_the_grid_shows_the_pictures_in_order(model, tmp_path):
    rendered(model, "--seeds", "9,2,4", "-o", tmp_path)
    row = [pixels(tmp_path / f"seed000{seed}.png") for seed in (9, 2, 4)]
    assert np.array_equal(pixels(tmp_path / "grid.png"), np.concatenate(row, axis=1))


@pytest.mark.parametrize("mode", ["const", "random", "none"])
def test_other_seeds_do_not_change_a_picture(mode, model, tmp_path):
    for seeds in ("5", "3-7", "5,0"):
        rendered(model, "--seeds", seeds, "--noise-mode", mode, "-o", tmp_path / seeds)
    alone = (tmp_path / "5" / "seed0005.png").read_bytes()
    assert (tmp_path / "3-7" / "seed0005.png").read_bytes() == alone
    assert (tmp_path / "5,0" / "seed0005.png").read_bytes() == alone


def test_a_network_without_noise_renders_the_same_in_every_mode(tmp_path):
    g = make_stylegan3()
    latentlab.save(g, tmp_path / "g.safetensors")
    for mode in ("const", "random", "none"):
        rendered(tmp_path / "g.safetensors", "--seeds", "1", "--noise-mode", mode, "-o",
                 tmp_path / mode)  # fmt: skip
        picture = pixels(tmp_path / mode / "seed0001.png")
        assert np.array_equal(picture, to_bytes(g(z_of(1, g))[0]))


def test_noise_modes_differ_and_none_is_rendered_as_by_hand(g, model, tmp_path):
    pictures = {}
    for mode in ("const", "random", "none"):
        rendered(model, "--seeds", "1", "--noise-mode", mode, "-o", tmp_path / mode)
        pictures[mode] = pixels(tmp_path / mode / "seed0001.png")
    assert not np.array_equal(pictures["const"], pictures["random"])
    assert not np.array_equal(pictures["random"], pictures["none"])
    silent = [torch.zeros(1, 1, s, s) for s in (4, 8, 8, 16, 16, 32, 32)]
    by_hand = g.synthesis(g.mapping(z_of(1, g)), noise=silent)
    assert np.array_equal(pictures["none"], to_bytes(by_hand[0]))


def test_noise_of_the_seed_follows_z_out_of_the_same_generator(g, model, tmp_path):
    rendered(model, "--seeds", "7", "--noise-mode", "seed", "-o", tmp_path)
    rng = np.random.RandomState(7)
    z = torch.from_numpy(rng.randn(1, g.z_dim)).float()
    noise = [torch.from_numpy(rng.randn(1, 1, s, s)).float() for s in (4, 8, 8, 16, 16, 32, 32)]
    by_hand = g(z, noise=noise)
    assert np.array_equal(pixels(tmp_path / "seed0007.png"), to_bytes(by_hand[0]))


def test_noise_of_the_seed_is_not_for_saved_latents(model, tmp_path):
    latentlab.latents.save_ws(tmp_path / "w.npz", torch.zeros(1, 8, SETTINGS["w_dim"]))
    arguments = [model, "--projected-w", tmp_path / "w.npz", "--noise-mode", "seed", "-o", tmp_path]
    done = CliRunner().invoke(main, ["generate", *map(str, arguments)])
    assert done.exit_code == 2
    assert "--noise-mode seed goes with --seeds" in done.stderr


def test_psi_0_gives_the_mean_image_for_every_seed(g, model, tmp_path):
    rendered(model, "--seeds", "0-2", "--truncation-psi", "0", "-o", tmp_path)
    mean = g.synthesis(g.w_mean.expand(1, g.num_ws, -1))
    for seed in range(3):
        assert np.array_equal(pixels(tmp_path / f"seed000{seed}.png"), to_bytes(mean[0]))


def test_truncation_stops_at_the_cutoff(g, model, tmp_path):
    rendered(
        model, "--seeds", "4", "--truncation-psi", "0.5", "--truncation-cutoff", "3", "-o", tmp_path
    )
    ws = g.mapping(z_of(4, g))
    ws[:, :3] = g.w_mean + 0.5 * (ws[:, :3] - g.w_mean)
    by_hand = to_bytes(g.synthesis(ws)[0])
    assert np.abs(pixels(tmp_path / "seed0004.png").astype(int) - by_hand).max() <= 1


def test_a_grey_generator_gives_grey_pictures(tmp_path):
    latentlab.save(make_generator(channels=1), tmp_path / "grey.safetensors")
    rendered(tmp_path / "grey.safetensors", "--seeds", "0-1", "-o", tmp_path / "o")
    assert pixels(tmp_path / "o" / "seed0000.png").shape == (16, 16)
    assert pixels(tmp_path / "o" / "grid.png").shape == (16, 32)


def test_the_official_pictures_are_met(shared, tmp_path):
    # The first z of the reference data is seed 0's; the cutoff is none in these files.
    for name, label in (("ada_skip_32", []), ("ada_cond_32", ["--class"])):
        reference = np.load(shared / f"{name}_ref.npz")
        options = [*label, *([int(reference["c"][0].argmax())] if label else [])]
        rendered(
            shared / f"{name}.pkl", "--seeds", "0", "--truncation-psi", "0.7", *options,
            "-o", tmp_path / name,
        )  # fmt: skip
        ours, official = pixels(tmp_path / name / "seed0000.png"), reference["u8_psi07_const"][0]
        assert np.abs(ours.astype(int) - official).max() <= 1  # float32 noise at a byte's edge
        assert (ours == official).mean() > 0.999


def test_the_checkpoint_decides_the_cutoff_unless_told(g, tmp_path):
    ws = g.mapping(z_of(4, g))
    # What is no number of layers decides nothing.
    cases = [(3, [], 3), (3, [8], 8), (3, [0], 0), (None, [], 8), ("3", [], 8), (True, [], 8),
             (-1, [], 8)]  # fmt: skip
    for i, (own, told, layers) in enumerate(cases):
        path, out = tmp_path / f"{i}.safetensors", tmp_path / str(i)
        latentlab.save(g, path, {"truncation": {"psi": 0.7, "cutoff": own}})
        options = [option for cutoff in told for option in ("--truncation-cutoff", cutoff)]
        rendered(path, "--seeds", "4", "--truncation-psi", "0.5", *options, "-o", out)
        by_hand = ws.clone()
        by_hand[:, :layers] = g.w_mean + 0.5 * (ws[:, :layers] - g.w_mean)
        picture = pixels(out / "seed0004.png").astype(int)
        assert np.abs(picture - to_bytes(g.synthesis(by_hand)[0])).max() <= 1


# Strips of truncation.


def tiles_of(strip, count, side):
    """The pictures of a strip, found by their height: all stand on one line below the captions."""
    height, width = strip.shape[:2]
    gap = (width - 2 * 8 - count * side) // (count - 1)
    lefts = [8 + i * (side + gap) for i in range(count)]
    return [strip[height - 8 - side : height - 8, left : left + side] for left in lefts]


@pytest.mark.parametrize("mode", ["const", "random", "none"])
def test_a_strip_holds_the_pictures_of_single_values(mode, model, tmp_path):
    psis = ["1", "0.7", "0", "-0.5"]
    options = ("--seeds", "4", "--noise-mode", mode)
    rendered(model, *options, "--truncation-psi", ",".join(psis), "-o", tmp_path / "s")
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["seed0004-truncation.png"]
    strip = pixels(tmp_path / "s" / "seed0004-truncation.png")
    for psi, tile in zip(psis, tiles_of(strip, 4, 96), strict=True):
        rendered(model, *options, "--truncation-psi", psi, "-o", tmp_path / psi)
        single = pixels(tmp_path / psi / "seed0004.png")
        assert np.array_equal(tile, single.repeat(3, axis=0).repeat(3, axis=1))


def test_several_strips_have_a_sheet(model, tmp_path):
    rendered(model, "--seeds", "7,2", "--truncation-psi", " 1, -1 ", "-o", tmp_path)
    names = {"seed0007-truncation.png", "seed0002-truncation.png", "truncation.png"}
    assert {path.name for path in tmp_path.iterdir()} == names
    sheet = pixels(tmp_path / "truncation.png")
    for i, seed in enumerate((7, 2)):
        strip = pixels(tmp_path / f"seed000{seed}-truncation.png")
        bottom = sheet.shape[0] - 8 - (1 - i) * 100
        for j, tile in enumerate(tiles_of(strip, 2, 96)):
            right = sheet.shape[1] - 8 - (1 - j) * 100
            assert np.array_equal(sheet[bottom - 96 : bottom, right - 96 : right], tile)


def test_a_strip_stops_at_the_cutoff(model, tmp_path):
    options = ("--seeds", "4", "--truncation-cutoff", "0", "--truncation-psi", "1,0")
    rendered(model, *options, "-o", tmp_path)
    plain, mean = tiles_of(pixels(tmp_path / "seed0004-truncation.png"), 2, 96)
    assert np.array_equal(plain, mean)


def test_existing_strips_are_kept_without_overwrite(model, tmp_path):
    (tmp_path / "truncation.png").write_text("mine")
    options = ("--seeds", "0-1", "--truncation-psi", "1,0", "-o", tmp_path)
    assert "truncation.png" in check_refused(6, model, *options)
    assert [path.name for path in tmp_path.iterdir()] == ["truncation.png"]


# Other kinds of generators.


def test_a_stylegan1_is_rendered_as_by_hand(tmp_path):
    g = make_stylegan1()
    latentlab.save(g, tmp_path / "m.safetensors")
    rendered(tmp_path / "m.safetensors", "--seeds", "3", "-o", tmp_path / "o")
    assert np.array_equal(pixels(tmp_path / "o" / "seed0003.png"), to_bytes(g(z_of(3, g))[0]))


@pytest.mark.parametrize("make", [make_stylegan1, make_progan])
def test_lod_shows_an_earlier_stage_of_growth(make, tmp_path):
    g = make()
    latentlab.save(g, tmp_path / "m.safetensors")
    for lod in ("0", "1", "0.5"):
        options = ("--seeds", "3", "--lod", lod, "-o", tmp_path / lod)
        rendered(tmp_path / "m.safetensors", *options)
        g.synthesis.set_lod(float(lod))
        expected = to_bytes(g(z_of(3, g))[0])
        assert np.array_equal(pixels(tmp_path / lod / "seed0003.png"), expected)
    half = pixels(tmp_path / "1" / "seed0003.png")
    assert np.array_equal(half, half[::2, ::2].repeat(2, axis=0).repeat(2, axis=1))


def test_lod_is_refused_where_nothing_grows(model, tmp_path):
    message = check_refused(2, model, "--seeds", "0", "--lod", "1", "-o", tmp_path / "o")
    assert "growing" in message
    latentlab.save(make_progan(), tmp_path / "m.safetensors")
    options = ("--seeds", "0", "--lod", "2.5", "-o", tmp_path / "o")
    assert "0 to 2" in check_refused(2, tmp_path / "m.safetensors", *options)
    assert not (tmp_path / "o").exists()


def test_a_generator_without_w_is_rendered_and_not_truncated(tmp_path):
    g = make_progan(c_dim=2)
    latentlab.save(g, tmp_path / "m.safetensors")
    options = (tmp_path / "m.safetensors", "--seeds", "3", "--class", "1")
    rendered(*options, "-o", tmp_path / "o")
    expected = to_bytes(g(z_of(3, g), torch.eye(2)[[1]])[0])
    assert np.array_equal(pixels(tmp_path / "o" / "seed0003.png"), expected)
    for psi in ("0.7", "1,0.7"):
        said = check_refused(4, *options, "--truncation-psi", psi, "-o", tmp_path / "p")
        assert "no W" in said
    np.savez(tmp_path / "w.npz", w=np.zeros((1, 6, 5), np.float32))
    latents = ("--projected-w", tmp_path / "w.npz", "-o", tmp_path / "p")
    assert "no W" in check_refused(4, options[0], *latents)
    assert not (tmp_path / "p").exists()


# Classes.


def test_the_class_chooses_the_label(conditional, tmp_path):
    g = make_generator(**SETTINGS, c_dim=3)
    for label in range(3):
        rendered(conditional, "--seeds", "6", "--class", label, "-o", tmp_path / str(label))
        by_hand = g(z_of(6, g), torch.eye(3)[[label]])
        assert np.array_equal(pixels(tmp_path / f"{label}/seed0006.png"), to_bytes(by_hand[0]))
    pictures = {(tmp_path / f"{label}/seed0006.png").read_bytes() for label in range(3)}
    assert len(pictures) == 3


@pytest.mark.parametrize(("options", "words"), [([], "3 classes"), (["--class", "3"], "0 to 2")])
def test_a_wrong_class_is_a_usage_error(options, words, conditional, tmp_path):
    message = check_refused(2, conditional, "--seeds", "0", *options, "-o", tmp_path / "o")
    assert words in message
    assert not (tmp_path / "o").exists()


def test_a_class_of_a_generator_without_labels_is_a_usage_error(model, tmp_path):
    message = check_refused(2, model, "--seeds", "0", "--class", "0", "-o", tmp_path / "o")
    assert "no labels" in message
    assert not (tmp_path / "o").exists()


# From saved latents.


def test_saved_latents_are_rendered_row_by_row(g, model, tmp_path):
    ws = some_ws(g)
    np.savez(tmp_path / "w.npz", w=ws)
    rendered(model, "--projected-w", tmp_path / "w.npz", "-o", tmp_path / "o")
    names = {path.name for path in (tmp_path / "o").iterdir()}
    assert names == {"proj00.png", "proj01.png", "proj02.png", "grid.png"}
    for i in range(3):
        by_hand = g.synthesis(torch.from_numpy(ws[i : i + 1]))
        assert np.array_equal(pixels(tmp_path / f"o/proj0{i}.png"), to_bytes(by_hand[0]))


def test_saved_noise_is_used(g, model, tmp_path):
    ws, noise = some_ws(g), some_noise()
    np.savez(tmp_path / "w.npz", w=ws)
    np.savez(tmp_path / "n.npz", **noise)
    rendered(
        model, "--projected-w", tmp_path / "w.npz", "--noise", tmp_path / "n.npz",
        "-o", tmp_path / "o",
    )  # fmt: skip
    for i in range(3):
        maps = [torch.from_numpy(level[i : i + 1]).float() for level in noise.values()]
        by_hand = g.synthesis(torch.from_numpy(ws[i : i + 1]), noise=maps)
        assert np.array_equal(pixels(tmp_path / f"o/proj0{i}.png"), to_bytes(by_hand[0]))


def test_latents_of_a_generator_with_classes_need_no_class(conditional, tmp_path):
    np.savez(tmp_path / "w.npz", w=some_ws(make_generator(**SETTINGS), n=1))
    rendered(conditional, "--projected-w", tmp_path / "w.npz", "-o", tmp_path / "o")
    assert (tmp_path / "o" / "proj00.png").is_file()


def test_latents_as_other_tools_write_them(g, model, tmp_path):
    """In float64, beside arrays that are none of ours to read."""
    ws = some_ws(g, n=1).astype(np.float64)
    np.savez_compressed(tmp_path / "w.npz", w=ws, notes=np.array([{"a": 1}], object), loss=3.5)
    rendered(model, "--projected-w", tmp_path / "w.npz", "-o", tmp_path / "o")
    by_hand = g.synthesis(torch.from_numpy(ws).float())
    assert np.array_equal(pixels(tmp_path / "o" / "proj00.png"), to_bytes(by_hand[0]))


@pytest.mark.parametrize(
    "options",
    [
        ["--class", "1"],
        ["--truncation-psi", "0.5"],
        ["--truncation-cutoff", "2"],
        ["--noise", "n.npz", "--noise-mode", "none"],
    ],
)
def test_options_that_would_have_no_effect_are_usage_errors(
    options, g, conditional, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    np.savez("w.npz", w=some_ws(g))
    np.savez("n.npz", **some_noise())
    message = check_refused(2, conditional, "--projected-w", "w.npz", *options, "-o", "o")
    assert options[-2] in message


def changed(array, value):
    array = array.copy()
    array.flat[7] = value
    return array


BAD_LATENTS = {
    "NaN": lambda w: {"w": changed(w, np.nan)},
    "infinity": lambda w: {"w": changed(w, np.inf)},
    "too few layers": lambda w: {"w": w[:, :-1]},
    "wrong width": lambda w: {"w": w[:, :, :-1]},
    "no rows": lambda w: {"w": w[:0]},
    "integers": lambda w: {"w": w.astype(np.int64)},
    "text": lambda w: {"w": w.astype(str)},
    "objects": lambda w: {"w": w.astype(object)},
    "z": lambda w: {"z": w},
    "z or w": lambda w: {"latents": w[0, :1]},
    "several": lambda w: {"a": w, "b": w[0, 0]},
    "nothing": lambda w: {},
}


@pytest.mark.parametrize("change", BAD_LATENTS.values(), ids=BAD_LATENTS)
def test_latents_that_do_not_fit_are_refused(change, g, model, tmp_path):
    np.savez(tmp_path / "w.npz", **change(some_ws(g)))
    message = check_refused(4, model, "--projected-w", tmp_path / "w.npz", "-o", tmp_path / "o")
    assert message.startswith(f"Error: {tmp_path / 'w.npz'}")
    assert message.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_files_that_hold_no_latents_are_refused(g, model, tmp_path):
    np.savez(tmp_path / "whole.npz", w=some_ws(g))
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.npz").write_text("once upon a time")
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("cut.npz", "text.npz", "empty.npz", "missing.npz", "."):
        message = check_refused(4, model, "--projected-w", tmp_path / name, "-o", tmp_path / "o")
        assert message.startswith(f"Error: {tmp_path / name}")
        assert not (tmp_path / "o").exists()


def test_d19_a_compressed_bomb_is_refused_before_it_unfolds(model, tmp_path):
    rows = 64 * MIB // (4 * 8 * 12)
    header = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (rows, 9, 12)}  # 9 is not num_ws
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("w.npy", header.getvalue() + bytes(rows * 9 * 12 * 4))
    assert (tmp_path / "w.npz").stat().st_size < MIB
    tracemalloc.start()
    try:
        check_refused(4, model, "--projected-w", tmp_path / "w.npz", "-o", tmp_path / "o")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * MIB


BAD_NOISE = {
    "a map missing": lambda n: {k: v for k, v in n.items() if k != "noise_6"},
    "a map misshapen": lambda n: {**n, "noise_2": n["noise_2"][:, :, :4]},
    "NaN": lambda n: {**n, "noise_3": changed(n["noise_3"], np.nan)},
    "maps for fewer images": lambda n: {k: v[:2] for k, v in n.items()},
    "a map for fewer images": lambda n: {**n, "noise_1": n["noise_1"][:2]},
}


@pytest.mark.parametrize("change", BAD_NOISE.values(), ids=BAD_NOISE)
def test_noise_that_does_not_fit_is_refused(change, g, model, tmp_path):
    np.savez(tmp_path / "w.npz", w=some_ws(g))
    np.savez(tmp_path / "n.npz", **change(some_noise()))
    message = check_refused(
        4, model, "--projected-w", tmp_path / "w.npz", "--noise", tmp_path / "n.npz",
        "-o", tmp_path / "o",
    )  # fmt: skip
    assert str(tmp_path / "n.npz") in message
    assert not (tmp_path / "o").exists()


# Outputs and checkpoints.


def test_a_dry_run_tells_the_settings_and_writes_nothing(model, tmp_path):
    options = [
        "--seeds",
        "0-2",
        "--truncation-psi",
        "1,0.5",
        "--dry-run",
        "--json",
        "-o",
        tmp_path / "o",
    ]
    result = CliRunner().invoke(main, ["generate", str(model), *map(str, options)])
    settings = json.loads(result.stdout)
    assert (settings["pictures"], settings["truncation_psi"]) == (3, [1.0, 0.5])
    assert settings["sha256"] == latentlab.load(model).sha256
    assert not (tmp_path / "o").exists()


def test_j13_existing_pictures_are_kept_without_overwrite(model, tmp_path):
    rendered(model, "--seeds", "0-1", "-o", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    message = check_refused(6, model, "--seeds", "1-2", "--truncation-psi", "0", "-o", tmp_path)
    assert "seed0001.png" in message
    assert "--overwrite" in message
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_j13_overwrite_replaces_pictures(model, tmp_path):
    rendered(model, "--seeds", "0-1", "-o", tmp_path)
    before = (tmp_path / "seed0001.png").read_bytes()
    rendered(model, "--seeds", "1", "--truncation-psi", "0", "--overwrite", "-o", tmp_path)
    assert (tmp_path / "seed0001.png").read_bytes() != before


@pytest.mark.parametrize("name", ["file", "file/below", "x" * 300])
def test_j15_a_folder_that_cannot_be_made_is_named(name, model, tmp_path):
    (tmp_path / "file").write_text("here already")
    message = check_refused(6, model, "--seeds", "0", "-o", tmp_path / name)
    assert message.startswith(f"Error: {tmp_path / name}")


def test_checkpoints_without_a_generator_are_refused(tmp_path):
    from latentlab.checkpoints.native import write_native

    write_native({"D": make_discriminator()}, tmp_path / "d.safetensors")
    (tmp_path / "text.safetensors").write_text("once upon a time")
    for name in ("d.safetensors", "text.safetensors", "missing.safetensors", "."):
        message = check_refused(3, tmp_path / name, "--seeds", "0", "-o", tmp_path / "o")
        assert message.startswith(f"Error: {tmp_path / name}")
        assert message.count("\n") == 1
        assert not (tmp_path / "o").exists()


def test_an_unknown_device_is_a_usage_error(model, tmp_path):
    message = check_refused(2, model, "--seeds", "0", "--device", "abacus", "-o", tmp_path / "o")
    assert "abacus" in message
    assert not (tmp_path / "o").exists()


# Several classes, and saved latents of all kinds.


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "animals.safetensors"
    latentlab.save(make_generator(**SETTINGS, c_dim=3), path, {"class_names": ["cat", "dog", "x"]})
    return path


def test_each_seed_is_rendered_in_each_class_and_the_sheet_is_labelled(animals, tmp_path):
    g = latentlab.load(animals).generator
    rendered(animals, "--seeds", "5,7", "--class", "all", "-o", tmp_path)
    names = {f"seed{seed:04d}-class{c}.png" for seed in (5, 7) for c in range(3)}
    assert {path.name for path in tmp_path.iterdir()} == {*names, "grid.png"}
    sheet = pixels(tmp_path / "grid.png")
    left = sheet.shape[1] - 8 - 3 * 96 - 2 * 4
    for row, seed in enumerate((5, 7)):
        for c in range(3):
            picture = to_bytes(g(z_of(seed, g), torch.eye(3)[[c]])[0])
            assert np.array_equal(pixels(tmp_path / f"seed{seed:04d}-class{c}.png"), picture)
            top, x = 31 + row * 100, left + c * 100
            tile = picture.repeat(3, 0).repeat(3, 1)
            assert np.array_equal(sheet[top : top + 96, x : x + 96], tile)
    assert (sheet[:31] < 128).any()  # captions
    assert (sheet[31:, : left - 4] < 128).any()


def test_classes_are_named_by_numbers_ranges_and_names(animals, conditional, tmp_path):
    rendered(animals, "--seeds", 1, "--class", "dog,cat", "-o", tmp_path / "names")
    rendered(conditional, "--seeds", 1, "--class", "0-1", "-o", tmp_path / "range")
    for name in ("seed0001-class0.png", "seed0001-class1.png"):
        assert (tmp_path / "names" / name).read_bytes() == (tmp_path / "range" / name).read_bytes()
    rendered(animals, "--seeds", 1, "--class", "dog", "-o", tmp_path / "one")
    one = (tmp_path / "one" / "seed0001.png").read_bytes()  # one class: the name is as it was
    assert one == (tmp_path / "names" / "seed0001-class1.png").read_bytes()


def test_a_sheet_of_many_classes_shows_the_first_and_says_so(tmp_path):
    latentlab.save(make_generator(c_dim=40), tmp_path / "m.safetensors")
    done = rendered(tmp_path / "m.safetensors", "--seeds", "0-8", "--class", "all", "-o",
                    tmp_path / "o")  # fmt: skip
    assert len(list((tmp_path / "o").glob("seed*.png"))) == 360
    assert "grid.png, which shows 8 of 9 seeds and 32 of 40 classes," in done.stderr
    assert pixels(tmp_path / "o" / "grid.png").shape[1] < 32 * 100 + 100


def test_strips_of_several_classes_say_which(animals, tmp_path):
    rendered(animals, "--seeds", 1, "--class", "0-1", "--truncation-psi", "1,0.5", "-o", tmp_path)
    names = {f"seed0001-class{c}-truncation.png" for c in (0, 1)} | {"truncation.png"}
    assert {path.name for path in tmp_path.iterdir()} == names


def projected(model, photos, *options):
    command = ["project", model, photos, "--steps", 1, "--distance", "builtin:digits", *options]
    done = CliRunner().invoke(main, list(map(str, command)))
    assert done.exit_code == 0, done.stderr


@pytest.fixture
def projections(g, model, tmp_path):
    """Two projections, as the command leaves them, with the table of both."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate(("anna", "ben")):
        Image.fromarray(to_bytes(g(z_of(seed, g))[0])).save(folder / f"{name}.png")
    projected(model, folder, "-o", tmp_path / "p")
    return tmp_path / "p"


def test_folders_give_the_projected_pictures_with_their_noise(model, projections, tmp_path):
    rendered(model, "--projected-w", projections, "-o", tmp_path / "o")
    assert {p.name for p in (tmp_path / "o").iterdir()} == {"anna.png", "ben.png", "grid.png"}
    for name in ("anna", "ben"):
        again = (tmp_path / "o" / f"{name}.png").read_bytes()
        assert again == (projections / name / "projected.png").read_bytes()
    rendered(model, "--projected-w", projections / "ben", "-o", tmp_path / "one")
    assert (tmp_path / "one" / "ben.png").read_bytes() == again
    rendered(model, "--projected-w", projections, "--noise-mode", "const", "-o", tmp_path / "c")
    assert (tmp_path / "c" / "ben.png").read_bytes() != again  # asked for: the stored noise


@pytest.mark.parametrize("name", ["latents.safetensors", "latents.parquet"])
def test_the_file_of_all_latents_gives_each_by_its_name(name, model, projections, tmp_path):
    if name.endswith("parquet"):
        projections = tmp_path / "p2"
        projected(model, tmp_path / "photos", "--latents", name, "-o", projections)
    rendered(model, "--projected-w", projections / name, "-o", tmp_path / "o")
    assert {p.name for p in (tmp_path / "o").iterdir()} == {"anna.png", "ben.png", "grid.png"}
    for each in ("anna", "ben"):
        rendered(model, "--projected-w", projections / each / "projected_w.npz", "-o",
                 tmp_path / each)  # fmt: skip
        expected = (tmp_path / each / "proj00.png").read_bytes()
        assert (tmp_path / "o" / f"{each}.png").read_bytes() == expected
