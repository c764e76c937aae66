"""`latentlab interpolate`: walks whose ends are the pictures themselves."""

import json

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import latentlab
from cli.commands.interpolate import interpolate
from latentlab.editing.interpolation import between_noise, between_z
from latentlab.images import to_uint8
from latentlab.latents import load_noise, load_ws, z_from_seeds
from tests.cli.conftest import AS_IN_GROUP, SMALL, pixels
from tests.conftest import make_generator, make_stylegan_xl


def run(saved, *arguments):
    command = [saved / "model.safetensors", *arguments]
    result = CliRunner().invoke(interpolate, list(map(str, command)), **AS_IN_GROUP)
    known = (SystemExit, latentlab.LatentlabError)
    assert result.exception is None or isinstance(result.exception, known), result.exception
    return result


def walked(saved, *arguments):
    result = run(saved, *arguments)
    assert result.exit_code == 0, result.stderr or result.exception
    return result


def frames(folder):
    return sorted((folder / "frames").glob("*.png"))


def to_bytes(image):
    return to_uint8(image).permute(1, 2, 0).numpy()


class TestBetweenProjections:
    def test_ends_are_the_projections_pictures_to_the_bit(self, saved, tmp_path):
        walked(saved, saved / "projections", "--frames", 4, "-o", tmp_path)
        assert [path.name for path in frames(tmp_path)] == [f"{i:05d}.png" for i in range(5)]
        for frame, name in ((0, "anna"), (4, "ben")):
            expected = (saved / "projections" / name / "projected.png").read_bytes()
            assert frames(tmp_path)[frame].read_bytes() == expected

    def test_the_way_is_a_line_in_w_with_noise_of_both_ends(self, saved, small, tmp_path):
        places = [saved / "projections" / name for name in ("ben", "anna")]
        walked(saved, *places, "--frames", 4, "-o", tmp_path)
        ws = [load_ws(place / "projected_w.npz", small) for place in places]
        noise = [load_noise(place / "projected_noise.npz", small) for place in places]
        between = torch.lerp(*ws, 0.25)
        latents = load_ws(tmp_path / "frames.npz", small)
        assert torch.equal(latents[1], between[0])
        assert torch.equal(latents[[0, 4]], torch.cat(ws))
        expected = to_bytes(small.synthesis(between, noise=between_noise(*noise, 0.25))[0])
        np.testing.assert_array_equal(pixels(frames(tmp_path)[1]), expected)

    @pytest.mark.parametrize("mode", ["const", "none"])
    def test_other_noise_is_the_generators_or_none(self, saved, small, tmp_path, mode):
        walked(saved, saved / "projections", "--frames", 1, "--noise-mode", mode, "-o", tmp_path)
        ws = load_ws(saved / "projections" / "ben" / "projected_w.npz", small)
        expected = to_bytes(small.synthesis(ws, mode)[0])
        np.testing.assert_array_equal(pixels(frames(tmp_path)[1]), expected)

    def test_a_file_without_maps_walks_from_the_stored_ones(self, saved, small, tmp_path):
        anna, ben = (saved / "projections" / name for name in ("anna", "ben"))
        walked(saved, anna / "projected_w.npz", ben, "--frames", 2, "-o", tmp_path)
        ws = load_ws(anna / "projected_w.npz", small)
        np.testing.assert_array_equal(pixels(frames(tmp_path)[0]), to_bytes(small.synthesis(ws)[0]))
        assert frames(tmp_path)[2].read_bytes() == (ben / "projected.png").read_bytes()

    def test_a_loop_comes_back(self, saved, tmp_path):
        walked(saved, saved / "projections", "--frames", 3, "--loop", "-o", tmp_path)
        images = [pixels(path) for path in frames(tmp_path)]
        assert len(images) == 6
        table = pd.read_csv(tmp_path / "frames.csv")
        assert table["from"].tolist() == ["anna"] * 3 + ["ben"] * 3
        assert table["to"].tolist() == ["ben"] * 3 + ["anna"] * 3
        np.testing.assert_allclose(table["t"], [0, 1 / 3, 2 / 3] * 2)


class TestBetweenSeeds:
    def test_z_goes_on_a_great_circle(self, saved, small, tmp_path):
        walked(saved, "--seeds", "3,5", "--space", "z", "--frames", 2, "--truncation-psi", 0.7,
               "-o", tmp_path)  # fmt: skip
        z = z_from_seeds([3, 5], 16).split(1)
        for i, t in enumerate((0, 0.5, 1)):
            image = small(between_z(*z, t), truncation_psi=0.7)[0]
            np.testing.assert_array_equal(pixels(frames(tmp_path)[i]), to_bytes(image))

    def test_w_goes_on_a_line(self, saved, small, tmp_path):
        walked(saved, "--seeds", "3,5", "--frames", 2, "-o", tmp_path)
        ws = small.mapping(z_from_seeds([3, 5], 16))
        latents = load_ws(tmp_path / "frames.npz", small)
        torch.testing.assert_close(latents[1], ws.mean(dim=0))

    def test_a_network_without_noise_walks_too(self, tmp_path):
        model = tmp_path / "model.safetensors"
        latentlab.save(make_generator(**SMALL, use_noise=False), model)
        walked(tmp_path, "--seeds", "0-1", "--frames", 1, "-o", tmp_path / "out")
        assert len(frames(tmp_path / "out")) == 2

    def test_a_table_of_classes_has_nothing_between_them_but_w_has(self, tmp_path):
        g = make_stylegan_xl()
        latentlab.save(g, tmp_path / "model.safetensors")
        walked(tmp_path, "--seeds", "3,5", "--space", "z", "--class", "0,2", "--frames", 2,
               "--truncation-psi", 0.7, "-o", tmp_path / "out")  # fmt: skip
        latents = load_ws(tmp_path / "out" / "frames.npz", g)
        z, labels = z_from_seeds([3, 3, 5, 5], 6), torch.eye(3)[[0, 2, 0, 2]]
        torch.testing.assert_close(latents[::2], g.mapping(z, labels, 0.7))
        torch.testing.assert_close(latents[1], latents[[0, 2]].mean(dim=0))  # one z, two classes
        between = between_z(z[1:2], z[2:3], 0.5).expand(2, -1)
        mixed = g.mapping(between, labels[1:3], 0.7).mean(dim=0)
        torch.testing.assert_close(latents[3], mixed)

    def test_a_seed_may_come_twice(self, saved, tmp_path):
        walked(saved, "--seeds", "1,2,1", "--frames", 1, "-o", tmp_path)
        first, _, last = frames(tmp_path)
        assert first.read_bytes() == last.read_bytes()


class TestResults:
    def test_the_strip_has_a_row_a_leg_with_both_ends(self, saved, tmp_path):
        walked(saved, "--seeds", "0-2", "--frames", 16, "--loop", "-o", tmp_path)
        strip = pixels(tmp_path / "strip.png").astype(int)
        left = strip.shape[1] - 8 - 9 * 96 - 8 * 4
        for row in range(3):
            for column in range(9):
                number = (row * 16 + column * 2) % 48
                top, x = 31 + row * 100, left + column * 100
                expected = pixels(frames(tmp_path)[number]).repeat(3, 0).repeat(3, 1)
                np.testing.assert_array_equal(strip[top : top + 96, x : x + 96], expected)

    def test_a_video_takes_the_place_of_pictures(self, saved, tmp_path):
        walked(saved, "--seeds", "0-1", "--frames", 5, "--video", "walk.mp4", "--fps", 10,
               "-o", tmp_path)  # fmt: skip
        assert imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "walk.mp4"))[0] == 6
        assert not (tmp_path / "frames").exists()

    def test_a_video_holds_the_frames_in_order(self, saved, tmp_path):
        walked(saved, "--seeds", "0-1", "--frames", 5, "--video", "walk.gif", "--pictures",
               "-o", tmp_path)  # fmt: skip
        with Image.open(tmp_path / "walk.gif") as video:
            for i, path in enumerate(frames(tmp_path)):
                video.seek(i)
                frame = np.asarray(video.convert("RGB")).astype(int)[::8, ::8]
                assert np.abs(frame - pixels(path)).mean() < 8  # 256 colours
            assert video.n_frames == 6

    def test_the_manifest_lists_every_file(self, saved, tmp_path):
        walked(saved, saved / "projections", "--frames", 2, "-o", tmp_path)
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
        assert set(manifest["files"]) | {"manifest.json"} == there
        assert manifest["settings"]["pictures"] == ["anna", "ben"]

    def test_a_dry_run_writes_nothing(self, saved, tmp_path):
        done = walked(saved, "--seeds", "0-3", "--dry-run", "--json", "-o", tmp_path / "out")
        assert json.loads(done.stdout)["frames"] == 181
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    ((), "either LATENTS or --seeds"),
    (("x.npz", "--seeds", "0-1"), "either LATENTS or --seeds"),
    (("x.npz", "--space", "z"), "--space z goes with --seeds"),
    (("x.npz", "--truncation-psi", 1), "--truncation-psi goes with --seeds"),
    (("--seeds", "0-1", "--pictures"), "--pictures goes with --video"),
    (("--seeds", "0-1", "--fps", 5), "--fps goes with --video"),
    (("--seeds", "0-100", "--frames", 10_000), "make more than 100,000"),
])  # fmt: skip
def test_wrong_options_are_told(saved, tmp_path, arguments, words):
    done = run(saved, *arguments, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "words"), [
    (("--seeds", 0), "a walk needs at least 2 pictures"),
    (("none.npz", "none.npz"), "none.npz: no such file"),
    (("--seeds", "0-1", "--video", "a.gif", "--fps", 60), "1 to 50 for .gif"),
])  # fmt: skip
def test_what_cannot_be_walked_is_told_in_one_line(saved, tmp_path, arguments, words):
    done = run(saved, *arguments, "-o", tmp_path / "out")
    assert words in str(done.exception)
    assert not (tmp_path / "out").exists()


class TestBetweenClasses:
    @pytest.fixture
    def g(self):
        return make_generator(**SMALL, c_dim=3)

    @pytest.fixture
    def model(self, g, tmp_path):
        latentlab.save(g, tmp_path / "model.safetensors")
        return tmp_path

    def test_the_walk_goes_through_the_classes_of_each_seed(self, model, g, tmp_path):
        walked(model, "--seeds", "4,6", "--class", "0,2", "--frames", 2, "-o", tmp_path / "o")
        ws = [g.mapping(z_from_seeds([s], 16), torch.eye(3)[[c]]) for s in (4, 6) for c in (0, 2)]
        latents = load_ws(tmp_path / "o" / "frames.npz", g)
        assert torch.equal(latents[[0, 2, 4, 6]], torch.cat(ws))
        assert torch.equal(latents[1], torch.lerp(ws[0], ws[1], 0.5)[0])
        table = pd.read_csv(tmp_path / "o" / "frames.csv")
        assert table["from"].tolist()[::2] == ["seed0004-class0", "seed0004-class2",
                                               "seed0006-class0", "seed0006-class0"]  # fmt: skip
        assert table["to"].tolist()[-1] == "seed0006-class2"

    def test_in_z_labels_are_mixed(self, model, g, tmp_path):
        walked(model, "--seeds", 4, "--class", "all", "--space", "z", "--frames", 2, "--loop",
               "-o", tmp_path / "o")  # fmt: skip
        latents, z = load_ws(tmp_path / "o" / "frames.npz", g), z_from_seeds([4], 16)
        assert len(latents) == 6
        for i, label in ((0, [1, 0, 0]), (1, [0.5, 0.5, 0]), (2, [0, 1, 0]), (5, [0.5, 0, 0.5])):
            expected = g.mapping(z, torch.tensor([label], dtype=torch.float32))
            torch.testing.assert_close(latents[[i]], expected)
