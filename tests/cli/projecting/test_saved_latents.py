"""Which pictures a file or folder of latents gives, in which order, by which names."""

import pytest
import torch

import latentlab
from cli.models import open_model
from cli.projecting.saved_latents import latents_of_seeds, read_saved
from latentlab import LatentError
from latentlab.latents import save_noise, save_ws, z_from_seeds
from tests.conftest import make_generator


@pytest.fixture(scope="module")
def g():
    return make_generator()


@pytest.fixture(scope="module")
def model(g, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    latentlab.save(g, path)
    return open_model(str(path), "cpu")


def model_of(g, tmp_path):
    latentlab.save(g, tmp_path / "other.safetensors")
    return open_model(str(tmp_path / "other.safetensors"), "cpu")


def ws_of(g, rows=1, seed=0):
    return torch.randn(rows, g.num_ws, g.w_dim, generator=torch.Generator().manual_seed(seed))


def noise_of(g, rows=1, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, *shape[1:], generator=rng) for shape in g.synthesis.noise_shapes]


def projection(folder, g, seed):
    folder.mkdir(parents=True)
    save_ws(folder / "projected_w.npz", ws_of(g, seed=seed))
    save_noise(folder / "projected_noise.npz", noise_of(g, seed=seed))
    return folder


def test_a_folder_of_one_picture_gives_it_with_its_noise(tmp_path, g, model):
    (found,) = read_saved([projection(tmp_path / "anna", g, 1)], model)
    assert found.name == "anna"
    assert torch.equal(found.ws, ws_of(g, seed=1))
    assert all(map(torch.equal, found.noise(g), noise_of(g, seed=1)))


def test_a_folder_of_several_gives_them_by_name(tmp_path, g, model):
    for name, seed in (("b", 1), ("a", 2), ("c", 3)):
        projection(tmp_path / name, g, seed)
    (tmp_path / "other").mkdir()
    found = read_saved([tmp_path], model)
    assert [one.name for one in found] == ["a", "b", "c"]
    assert torch.equal(found[1].ws, ws_of(g, seed=1))
    assert torch.equal(found[1].noise(g)[0], noise_of(g, seed=1)[0])


def test_rows_of_a_file_have_numbers_and_the_maps_of_their_row(tmp_path, g, model):
    save_ws(tmp_path / "w.npz", ws_of(g, 3))
    save_noise(tmp_path / "n.npz", noise_of(g, 3))
    found = read_saved([tmp_path / "w.npz"], model, tmp_path / "n.npz")
    assert [one.name for one in found] == ["w-00", "w-01", "w-02"]
    assert torch.equal(found[2].ws, ws_of(g, 3)[2:])
    assert torch.equal(found[2].noise(g)[1], noise_of(g, 3)[1][2:])
    assert read_saved([tmp_path / "w.npz"], model)[0].noise(g) is None


def test_the_given_order_is_kept_and_every_name_is_its_own(tmp_path, g, model):
    projection(tmp_path / "x" / "Anna", g, 1)
    projection(tmp_path / "y" / "anna", g, 2)
    save_ws(tmp_path / "edits.csv.npz", ws_of(g))
    paths = [tmp_path / "y", tmp_path / "x", tmp_path / "y" / "anna", tmp_path / "edits.csv.npz"]
    found = read_saved(paths, model)
    assert [one.name for one in found] == ["anna", "Anna-2", "anna-3", "edits.csv-2"]
    assert torch.equal(found[2].ws, found[0].ws)


def test_a_network_without_noise_needs_no_maps(tmp_path):
    g = make_generator(use_noise=False)
    folder = projection(tmp_path / "a", g, 0)
    assert read_saved([folder], model_of(g, tmp_path))[0].noise(g) is None


def test_what_is_missing_or_does_not_fit_is_refused(tmp_path, g, model):
    with pytest.raises(LatentError, match=r"holds neither projected_w\.npz nor"):
        read_saved([tmp_path], model)
    with pytest.raises(LatentError, match="no such file"):
        read_saved([tmp_path / "none.npz"], model)
    folder = projection(tmp_path / "a", g, 0)
    with pytest.raises(LatentError, match="leave --noise out"):
        read_saved([folder], model, folder / "projected_noise.npz")
    save_ws(tmp_path / "w.npz", ws_of(g, 2))
    found = read_saved([tmp_path / "w.npz"], model, folder / "projected_noise.npz")
    with pytest.raises(LatentError, match="maps for 1 images, but the latent is number 2"):
        found[1].noise(g)
    (folder / "projected_noise.npz").unlink()
    with pytest.raises(LatentError, match="no such file"):
        read_saved([folder], model)[0].noise(g)
    with pytest.raises(LatentError, match="for this generator"):
        read_saved([folder], model_of(make_generator(w_dim=6), tmp_path))


def test_seeds_are_mapped_one_by_one(g):
    found = latents_of_seeds(g, [3, 0, 3], None, (0.5, 2))
    assert [one.name for one in found] == ["seed0003", "seed0000", "seed0003"]
    expected = g.mapping(z_from_seeds([0], g.z_dim), None, 0.5, 2)
    assert torch.equal(found[1].ws, expected)
