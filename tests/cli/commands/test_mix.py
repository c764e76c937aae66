import csv
import hashlib
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.main import main
from latentlab.images import to_uint8
from latentlab.latents import mix_styles
from latentlab.numerics import Stream, keyed_generator
from tests.conftest import make_generator, make_progan, make_stylegan1
from tests.support.commands import run, succeeded

SETTINGS = {"resolution": 32, "z_dim": 16, "w_dim": 12}


@pytest.fixture(scope="module")
def g(small):
    return small


def mix(*arguments):
    return run("mix", *arguments)


def mixed(*arguments):
    return succeeded(mix(*arguments))


def check_refused(code, folder, *arguments):
    """Run a command that must end in an error line and write nothing; returns what it says."""
    result = mix(*arguments, "-o", folder)
    assert result.exit_code == code, result.stderr
    assert "Error: " in result.stderr.splitlines()[-1]
    assert not folder.exists()
    return result.stderr


def pixels(path):
    with Image.open(path) as picture:
        return np.array(picture)


def to_bytes(image):
    return to_uint8(image).permute(1, 2, 0).numpy()


def ws_of(seed, g, *settings):
    z = np.random.RandomState(seed).randn(1, g.z_dim).astype(np.float32)
    return g.mapping(torch.from_numpy(z), *settings)


def by_hand(g, row, column, layers):
    """Styles as the published script takes them: layer by layer from one of two w."""
    ws = [column[:, i] if i in layers else row[:, i] for i in range(g.num_ws)]
    return to_bytes(g.synthesis(torch.stack(ws, dim=1))[0])


def place_of(sheet, picture):
    """Return (top, left) of the one place where a picture stands in a sheet."""
    height, width = picture.shape[:2]
    places = sheet.shape[0] - height + 1, sheet.shape[1] - width + 1
    found = np.argwhere(np.ones(places, bool))
    for y in range(0, height, 8):
        for x in range(0, width, 8):
            part = sheet[found[:, 0] + y, found[:, 1] + x]
            found = found[(part == picture[y, x]).reshape(len(found), -1).all(axis=1)]
    ((top, left),) = found.tolist()
    assert np.array_equal(sheet[top : top + height, left : left + width], picture)
    return top, left


# Pictures.


@pytest.mark.parametrize(("text", "layers"), [
    ("coarse", range(4)), ("middle", range(4, 8)), ("0-2,7", [0, 1, 2, 7]), ("5, 5", [5]),
])  # fmt: skip
def test_each_mixture_is_rendered_as_by_hand(text, layers, g, model, tmp_path):
    mixed(model, "--rows", "1-2", "--cols", "0,2,7", "--layers", text, "-o", tmp_path)
    for row in (1, 2):
        for column in (0, 2, 7):
            expected = by_hand(g, ws_of(row, g), ws_of(column, g), layers)
            assert np.array_equal(pixels(tmp_path / f"{row}-{column}.png"), expected)
    for seed in (0, 1, 2, 7):
        alone = to_bytes(g.synthesis(ws_of(seed, g))[0])
        assert np.array_equal(pixels(tmp_path / f"{seed}-{seed}.png"), alone)


def test_a_stylegan1_is_mixed_too(tmp_path):
    g = make_stylegan1(**SETTINGS)
    latentlab.save(g, tmp_path / "m.safetensors")
    mixed(tmp_path / "m.safetensors", "--rows", "3", "--cols", "4", "-o", tmp_path / "o")
    expected = by_hand(g, ws_of(3, g), ws_of(4, g), range(4))
    assert np.array_equal(pixels(tmp_path / "o" / "3-4.png"), expected)


def test_fine_styles_of_a_larger_generator(tmp_path):
    g = make_generator(resolution=64, channel_base=256, channel_max=4)
    latentlab.save(g, tmp_path / "m.safetensors")
    options = ("--rows", "0", "--cols", "1", "--layers", "fine")
    mixed(tmp_path / "m.safetensors", *options, "-o", tmp_path / "o")
    expected = by_hand(g, ws_of(0, g), ws_of(1, g), [8, 9])
    assert np.array_equal(pixels(tmp_path / "o" / "0-1.png"), expected)


def test_seeds_are_truncated_before_they_are_mixed(g, model, tmp_path):
    options = ("--truncation-psi", "0.5", "--truncation-cutoff", "3", "--layers", "2-5")
    mixed(model, "--rows", "0", "--cols", "1", *options, "-o", tmp_path)
    ends = [ws_of(seed, g, None, 0.5, 3) for seed in (0, 1)]
    assert np.array_equal(pixels(tmp_path / "0-1.png"), by_hand(g, *ends, range(2, 6)))


def test_the_checkpoint_decides_the_cutoff_unless_told(g, tmp_path):
    path = tmp_path / "m.safetensors"
    latentlab.save(g, path, {"truncation": {"psi": 0.7, "cutoff": 3}})
    for name, options, cutoff in (("own", [], 3), ("told", ["--truncation-cutoff", "8"], None)):
        folder = tmp_path / name
        mixed(path, "--rows", "0", "--cols", "1", "--truncation-psi", "0.5", *options, "-o", folder)
        ends = [ws_of(seed, g, None, 0.5, cutoff) for seed in (0, 1)]
        assert np.array_equal(pixels(folder / "0-1.png"), by_hand(g, *ends, range(4)))


def test_a_class_is_needed_and_used(tmp_path):
    g = make_generator(**SETTINGS, c_dim=3)
    path = tmp_path / "m.safetensors"
    latentlab.save(g, path)
    assert "3 classes" in check_refused(2, tmp_path / "o", path, "--rows", "0", "--cols", "1")
    mixed(path, "--rows", "0", "--cols", "1", "--class", "2", "-o", tmp_path / "o")
    ends = [ws_of(seed, g, torch.eye(3)[[2]]) for seed in (0, 1)]
    assert np.array_equal(pixels(tmp_path / "o" / "0-1.png"), by_hand(g, *ends, range(4)))


@pytest.mark.parametrize("mode", ["const", "random", "none"])
def test_the_other_seeds_do_not_change_a_mixture(mode, model, tmp_path):
    for name, rows, columns in (("a", "3", "5"), ("b", "1-4", "9,5")):
        options = ("--rows", rows, "--cols", columns, "--noise-mode", mode)
        mixed(model, *options, "-o", tmp_path / name)
    for file in ("3-5.png", "3-3.png", "5-5.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_random_noise_goes_with_the_row(g, model, tmp_path):
    """A source alone then is what generate makes of its seed."""
    mixed(model, "--rows", "3", "--cols", "5", "--noise-mode", "random", "-o", tmp_path / "m")
    arguments = ["--seeds", "3", "--noise-mode", "random", "-o", str(tmp_path / "g")]
    assert CliRunner().invoke(main, ["generate", str(model), *arguments]).exit_code == 0
    alone = pixels(tmp_path / "g" / "seed0003.png")
    assert np.array_equal(pixels(tmp_path / "m" / "3-3.png"), alone)
    ws = mix_styles(ws_of(3, g), ws_of(5, g), range(4))
    rng = keyed_generator("cpu", 3, Stream.RENDERED_NOISE)
    expected = to_bytes(g.synthesis(ws, "random", rng=rng)[0])
    assert np.array_equal(pixels(tmp_path / "m" / "3-5.png"), expected)


# Sheets.


def test_the_sheet_has_rows_columns_and_a_blank_corner(model, tmp_path):
    mixed(model, "--rows", "0-1", "--cols", "2-4", "-o", tmp_path)
    sheet = pixels(tmp_path / "grid.png")

    def place(row, column):
        picture = pixels(tmp_path / f"{row}-{column}.png")
        return place_of(sheet, picture.repeat(3, axis=0).repeat(3, axis=1))

    rows = {row: place(row, row) for row in (0, 1)}
    columns = {column: place(column, column) for column in (2, 3, 4)}
    for row in rows:
        for column in columns:
            assert place(row, column) == (rows[row][0], columns[column][1])
    assert rows[0][0] < rows[1][0]
    assert columns[2][1] < columns[3][1] < columns[4][1]
    ((top,), (left,)) = {p[0] for p in columns.values()}, {p[1] for p in rows.values()}
    assert (sheet[top : top + 96, left : left + 96] == 255).all()
    assert rows[0][0] - (top + 96) > rows[1][0] - (rows[0][0] + 96)  # the header stands apart


def test_a_grey_generator_gives_a_grey_sheet(tmp_path):
    latentlab.save(make_generator(channels=1), tmp_path / "grey.safetensors")
    mixed(tmp_path / "grey.safetensors", "--rows", "0", "--cols", "1", "-o", tmp_path / "o")
    assert pixels(tmp_path / "o" / "grid.png").ndim == 2


def test_several_ranges_have_a_sheet_and_a_folder_each(model, tmp_path):
    layers = ("--layers", "coarse", "--layers", "6,0-1")
    mixed(model, "--rows", "0", "--cols", "1", *layers, "-o", tmp_path / "both")
    folders = {"coarse": "coarse", "0-1,6": "0-1,6"}
    pictures = {"0-1.png", "0-0.png", "1-1.png"}
    expected = {f"{folder}/{name}" for folder in folders for name in pictures}
    expected |= {"grid-coarse.png", "grid-0-1,6.png", "mix.csv", "manifest.json"}
    found = {path for path in (tmp_path / "both").rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path / "both").as_posix() for path in found} == expected
    for text in folders:
        mixed(model, "--rows", "0", "--cols", "1", "--layers", text, "-o", tmp_path / text)
        for one, several in (("grid.png", f"grid-{text}.png"), ("0-1.png", f"{text}/0-1.png")):
            assert np.array_equal(
                pixels(tmp_path / text / one), pixels(tmp_path / "both" / several)
            )


# Saved latents.


def save_ws(path, g, n, seed, dtype=np.float32, **more):
    ws = np.random.default_rng(seed).standard_normal((n, g.num_ws, g.w_dim)).astype(dtype)
    np.savez(path, w=ws, **more)
    return torch.from_numpy(ws).float()


def test_saved_latents_take_the_place_of_seeds(g, model, tmp_path):
    rows = save_ws(tmp_path / "r.npz", g, 2, 1, np.float64, psnr=np.array(["30 dB"], object))
    columns = save_ws(tmp_path / "c.npz", g, 1, 2)
    options = ("--row-w", tmp_path / "r.npz", "--col-w", tmp_path / "c.npz", "--layers", "1-3")
    mixed(model, *options, "-o", tmp_path / "o")
    for i in range(2):
        expected = by_hand(g, rows[i : i + 1], columns, [1, 2, 3])
        assert np.array_equal(pixels(tmp_path / "o" / f"row{i:02d}-column00.png"), expected)
    alone = to_bytes(g.synthesis(columns)[0])
    assert np.array_equal(pixels(tmp_path / "o" / "column00-column00.png"), alone)


def test_saved_latents_beside_seeds_are_not_truncated(g, model, tmp_path):
    rows = save_ws(tmp_path / "r.npz", g, 1, 1)
    options = ("--row-w", tmp_path / "r.npz", "--cols", "4", "--truncation-psi", "0.3")
    mixed(model, *options, "-o", tmp_path / "o")
    expected = by_hand(g, rows, ws_of(4, g, None, 0.3), range(4))
    assert np.array_equal(pixels(tmp_path / "o" / "row00-4.png"), expected)


def test_the_official_networks_mixture_is_met(shared, tmp_path):
    # w of samples 0 and 1, and the mixture with layers 0-3 of 1, as the official code made them.
    reference = np.load(shared / "ada_skip_32_ref.npz")
    for i in range(2):
        np.savez(tmp_path / f"{i}.npz", w=reference["ws"][[i]].repeat(8, axis=1))
    options = ("--row-w", tmp_path / "0.npz", "--col-w", tmp_path / "1.npz", "--layers", "0-3")
    mixed(shared / "ada_skip_32.pkl", *options, "-o", tmp_path / "o")
    official = to_bytes(torch.from_numpy(reference["img_mix_0_cols0to3_from1"][0]))
    ours = pixels(tmp_path / "o" / "row00-column00.png")
    assert np.abs(ours.astype(int) - official).max() <= 1  # float32 noise at a byte's edge
    assert (ours == official).mean() > 0.999


# Table and manifest.


def test_table_and_manifest_tell_how_it_was_made(model, tmp_path):
    mixed(model, "--rows", "0-1", "--cols", "2", "--truncation-psi", "0.7", "-o", tmp_path)
    with (tmp_path / "mix.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["picture"] for line in lines] == ["0-2.png", "1-2.png"]
    assert [(line["row"], line["column"]) for line in lines] == [("0", "2"), ("1", "2")]
    digest = latentlab.load(model).sha256
    assert {line["sha256"] for line in lines} == {digest}
    assert {line["truncation_psi"] for line in lines} == {"0.7"}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    settings = manifest["settings"]
    assert (settings["rows"], settings["columns"]) == (["0", "1"], ["2"])
    assert settings["layers"] == {"coarse": [0, 1, 2, 3]}
    written = {path.name for path in tmp_path.iterdir()} - {"manifest.json"}
    assert set(manifest["files"]) == written
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_a_dry_run_tells_the_settings_and_writes_nothing(model, tmp_path):
    options = ("--rows", "0-1", "--cols", "2", "--layers", "middle", "--dry-run", "--json")
    settings = json.loads(mixed(model, *options, "-o", tmp_path / "o").stdout)
    assert settings["layers"] == {"middle": [4, 5, 6, 7]}
    assert settings["rows"] == ["0", "1"]
    assert not (tmp_path / "o").exists()


# Refusals.


@pytest.mark.parametrize(("layers", "said"), [
    ("fine", "layers 0 to 7; fine styles begin with layer 8, at 64x64"),
    ("3-8", "layers 0 to 7"),
    ("0-999999", "layers 0 to 7"),
])  # fmt: skip
def test_layers_that_are_not_there_are_usage_errors(layers, said, model, tmp_path):
    options = ("--rows", "0", "--cols", "1", "--layers", layers)
    message = check_refused(2, tmp_path / "o", model, *options)
    assert said in message
    assert len(message) < 300


def test_generators_without_layers_of_w_are_refused(tmp_path):
    traditional = make_stylegan1(styles=False, const_input=False)
    for g, said in ((make_progan(), "no W"), (traditional, "one w")):
        latentlab.save(g, tmp_path / "m.safetensors")
        options = (tmp_path / "m.safetensors", "--rows", "0", "--cols", "1")
        assert said in check_refused(4, tmp_path / "o", *options)


@pytest.mark.parametrize(("options", "said"), [
    (["--rows", "0", "--row-w", "w.npz", "--cols", "1"], "--rows or --row-w"),
    (["--row-w", "w.npz", "--col-w", "w.npz", "--class", "1"], "--class goes with seeds"),
    (["--row-w", "w.npz", "--col-w", "w.npz", "--truncation-psi", "1"], "--truncation-psi goes"),
    (["--row-w", "w.npz", "--col-w", "w.npz", "--truncation-cutoff", "1"], "--truncation-cutoff"),
])  # fmt: skip
def test_options_that_would_have_no_effect_are_usage_errors(options, said, tmp_path):
    assert said in check_refused(2, tmp_path / "o", "missing.safetensors", *options)


def test_too_many_saved_latents_are_a_usage_error(g, model, tmp_path):
    save_ws(tmp_path / "w.npz", g, 200, 1)
    options = ("--row-w", tmp_path / "w.npz", "--col-w", tmp_path / "w.npz")
    assert "40,401 pictures" in check_refused(2, tmp_path / "o", model, *options)


def test_latents_of_another_generator_are_refused(model, tmp_path):
    np.savez(tmp_path / "w.npz", w=np.zeros((1, 8, 13), np.float32))
    options = (model, "--row-w", tmp_path / "w.npz", "--cols", "1")
    assert str(tmp_path / "w.npz") in check_refused(4, tmp_path / "o", *options)


def test_existing_files_are_kept_without_overwrite(model, tmp_path):
    mixed(model, "--rows", "0", "--cols", "1", "-o", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = mix(model, "--rows", "5", "--cols", "6", "-o", tmp_path)
    assert result.exit_code == 6
    assert "--overwrite" in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    mixed(model, "--rows", "0", "--cols", "1", "--layers", "7", "--overwrite", "-o", tmp_path)
    assert (tmp_path / "0-1.png").read_bytes() != before[tmp_path / "0-1.png"]


def test_there_is_one_grid_for_each_class(tmp_path):
    g = make_generator(**SETTINGS, c_dim=3)
    latentlab.save(g, tmp_path / "m.safetensors")
    out = tmp_path / "o"
    mixed(tmp_path / "m.safetensors", "--rows", "0", "--cols", "1", "--class", "0,2", "-o", out)
    for label in (0, 2):
        c = torch.eye(3)[[label]]
        expected = by_hand(g, ws_of(0, g, c), ws_of(1, g, c), range(4))
        assert np.array_equal(pixels(out / f"class{label}" / "0-1.png"), expected)
        place_of(pixels(out / f"grid-class{label}.png"), expected.repeat(3, 0).repeat(3, 1))
    with (out / "mix.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["0", "2"]
    assert [row["picture"] for row in rows] == ["class0/0-1.png", "class2/0-1.png"]
    assert json.loads((out / "manifest.json").read_text())["settings"]["class"] == [0, 2]
    mixed(tmp_path / "m.safetensors", "--rows", "0", "--cols", "1", "--class", "all", "--layers",
          "0", "--layers", "coarse", "-o", tmp_path / "both")  # fmt: skip
    grids = {path.name for path in (tmp_path / "both").glob("grid*")}
    assert grids == {f"grid-class{c}-{text}.png" for c in range(3) for text in ("0", "coarse")}


def test_rows_and_columns_come_from_projections_by_name(g, model, tmp_path):
    for folder, names in (("a", ("anna", "ben")), ("b", ("anna", "eve"))):
        for i, name in enumerate(names):
            (tmp_path / folder / name).mkdir(parents=True)
            ws = ws_of(i + len(folder) + (folder == "b") * 7, g)
            np.savez(tmp_path / folder / name / "projected_w.npz", w=ws.numpy())
    mixed(model, "--row-w", tmp_path / "a", "--cols", "1", "-o", tmp_path / "one")
    expected = by_hand(g, ws_of(2, g), ws_of(1, g), range(4))
    assert np.array_equal(pixels(tmp_path / "one" / "ben-1.png"), expected)
    # Two different pictures are called anna: numbers keep their files apart.
    mixed(model, "--row-w", tmp_path / "a", "--col-w", tmp_path / "b", "-o", tmp_path / "two")
    expected = by_hand(g, ws_of(1, g), ws_of(8, g), range(4))
    assert np.array_equal(pixels(tmp_path / "two" / "row00-column00.png"), expected)
    # The same ones are the same.
    mixed(model, "--row-w", tmp_path / "a", "--col-w", tmp_path / "a", "-o", tmp_path / "three")
    alone = to_bytes(g.synthesis(ws_of(1, g))[0])
    assert np.array_equal(pixels(tmp_path / "three" / "anna-anna.png"), alone)
