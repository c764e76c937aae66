import math
import shutil
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision

import latentlab
from latentlab import CheckpointError, ImageError, SettingsError, perceptual_distance
from latentlab.perceptual import unit_normalise

FILES = {
    "vgg": ("vgg16", "vgg16-397923af.pth"),
    "alex": ("alexnet", "alexnet-owt-7be5be79.pth"),
    "squeeze": ("squeezenet1_1", "squeezenet1_1-b8a52dc0.pth"),
}
LPIPS = 1e-5  # relative: our norm has its constant inside the root, lpips outside


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A torch hub cache with random backbones, drawn in the order the reference was made with."""
    home = tmp_path_factory.mktemp("torch")
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    rng = torch.Generator().manual_seed(99)
    for model, file in FILES.values():
        with torch.device("meta"):
            shapes = getattr(torchvision.models, model)().state_dict()
        weights = {}
        for key, meta in shapes.items():
            spread = math.sqrt(2 / math.prod(meta.shape[1:])) if meta.ndim > 1 else 0.05
            weights[key] = torch.randn(meta.shape, generator=rng) * spread
        torch.save(weights, folder / file)
    yield home
    shutil.rmtree(home)  # 800 MB, which pytest would keep for three runs


@pytest.fixture
def torch_home(hub, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(hub))
    return hub


@pytest.fixture
def empty_home(tmp_path, monkeypatch):
    """An empty cache on a machine without a network."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    return tmp_path


def pictures(n, size=32, seed=0):
    return torch.rand([n, 3, size, size], generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("net", list(FILES))
def test_lpips_equals_the_lpips_package_on_random_backbones(net, torch_home, shared):
    ref = np.load(shared / "lpips_random_hub_ref.npz")
    distance = perceptual_distance(f"lpips-{net}")
    result = distance(torch.from_numpy(ref["x"]), torch.from_numpy(ref["y"]))
    np.testing.assert_allclose(result, ref[f"d_{net}"], rtol=LPIPS)


@pytest.mark.filterwarnings("ignore::UserWarning")  # lpips calls torchvision by its older names
@pytest.mark.parametrize("net", ["squeeze", "alex"])
def test_lpips_equals_the_formula_on_the_package_s_own_layers(net, torch_home):
    import lpips

    distance = perceptual_distance(f"lpips-{net}")
    package = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    package.load_state_dict(distance._model.state_dict())
    x, y = pictures(3, 64), pictures(3, 64, seed=1)
    with torch.no_grad():
        expected = package(x, y).flatten()
    torch.testing.assert_close(distance(x, y), expected, rtol=LPIPS, atol=0)


def test_stand_in_network_equals_its_reference(data):
    ref = np.load(data / "vgg16_standin_ref.npz")
    images = torch.from_numpy(ref["x"]) / 127.5 - 1
    distance = perceptual_distance(data / "vgg16_standin.pt")
    np.testing.assert_allclose(distance(images[::2], images[1::2]), ref["dist_noresize"], rtol=1e-4)


@pytest.fixture(params=["lpips-squeeze", "stand-in", "builtin:digits"])
def distance(request, torch_home, data):
    name = data / "vgg16_standin.pt" if request.param == "stand-in" else request.param
    return perceptual_distance(name)


class TestEveryDistance:
    def test_n05_is_zero_for_equal_images_and_positive_otherwise(self, distance):
        x, y = pictures(3), pictures(3, seed=1)
        assert distance(x, x).tolist() == [0, 0, 0]
        assert bool((distance(x, y) > 0).all())

    def test_n05_is_symmetric(self, distance):
        x, y = pictures(3), pictures(3, seed=1)
        torch.testing.assert_close(distance(x, y), distance(y, x))

    def test_does_not_depend_on_neighbours(self, distance):
        x, y = pictures(4), pictures(4, seed=1)
        single = torch.cat([distance(a[None], b[None]) for a, b in zip(x, y, strict=True)])
        torch.testing.assert_close(distance(x, y), single, rtol=1e-4, atol=1e-6)

    def test_n05_grows_with_blur(self, distance):
        x = pictures(1)
        blurred = [
            torch.nn.functional.avg_pool2d(x, size, 1, size // 2)[:, :, :32, :32]
            for size in (1, 3, 5, 9)
        ]
        steps = torch.cat([distance(x, image) for image in blurred])
        assert bool((steps.diff() > 0).all())

    def test_takes_grey_images_as_colour(self, distance):
        x, y = pictures(2)[:, :1], pictures(2, seed=1)[:, :1]
        expected = distance(x.expand(-1, 3, -1, -1), y.expand(-1, 3, -1, -1))
        torch.testing.assert_close(distance(x, y), expected)

    def test_has_a_finite_gradient_at_a_black_image(self, distance):
        x = torch.full([1, 3, 32, 32], -1.0, requires_grad=True)
        (gradient,) = torch.autograd.grad(distance(x, pictures(1)).sum(), x)
        assert bool(torch.isfinite(gradient).all())

    def test_refuses_what_is_no_image(self, distance):
        with pytest.raises(ImageError, match="shape"):
            distance(torch.zeros(2, 5, 32, 32), torch.zeros(2, 5, 32, 32))


def test_large_images_are_box_averaged_to_256(torch_home):
    distance = perceptual_distance("lpips-squeeze")
    x, y = pictures(1, 512), pictures(1, 512, seed=1)
    boxes = [image.reshape(1, 3, 256, 2, 256, 2).mean(dim=(3, 5)) for image in (x, y)]
    torch.testing.assert_close(distance(x, y), distance(*boxes), rtol=1e-4, atol=0)


def test_unit_normalisation_has_unit_length_and_a_finite_gradient_at_zero():
    features = torch.randn([2, 5, 3, 3], generator=torch.Generator().manual_seed(0))
    features[0, :, 0, 0] = 0
    features.requires_grad_(True)
    unit = unit_normalise(features)
    lengths = unit.square().sum(dim=1)
    assert lengths[0, 0, 0] == 0
    torch.testing.assert_close(lengths.flatten()[1:], torch.ones(17))
    (gradient,) = torch.autograd.grad(unit.sum(), features)
    assert bool(torch.isfinite(gradient).all())


def test_digit_distance_equals_the_lpips_form_in_float64():
    classifier = latentlab.load_classifier("builtin:digits-classifier").double()
    x, y = pictures(2).double(), pictures(2, seed=1).double()
    expected = np.zeros(2)
    for a, b in zip(classifier.features(x), classifier.features(y), strict=True):
        a, b = a.numpy(), b.numpy()
        a = a / np.sqrt((a**2).sum(1, keepdims=True) + 1e-20)
        b = b / np.sqrt((b**2).sum(1, keepdims=True) + 1e-20)
        expected += ((a - b) ** 2).sum(1).mean((1, 2))
    result = perceptual_distance("builtin:digits").double()(x, y)
    np.testing.assert_allclose(result, expected, rtol=1e-9)


class TestWhatIsMissing:
    def test_weights_are_named_with_the_place_and_the_way_out(self, empty_home):
        with pytest.raises(CheckpointError) as error:
            perceptual_distance()
        text = str(error.value)
        for fact in ("vgg16-397923af.pth", str(empty_home), "TORCH_HOME", "builtin:digits", ".pt"):
            assert fact in text

    def test_damaged_weights_are_named(self, empty_home):
        folder = empty_home / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        (folder / FILES["squeeze"][1]).write_bytes(b"not weights")
        with pytest.raises(CheckpointError, match=FILES["squeeze"][1]):
            perceptual_distance("lpips-squeeze")

    def test_weights_of_another_network_are_named(self, empty_home):
        folder = empty_home / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        torch.save({"features.0.weight": torch.zeros(1)}, folder / FILES["squeeze"][1])
        with pytest.raises(CheckpointError, match="missing"):
            perceptual_distance("lpips-squeeze")

    def test_a_hub_file_with_code_is_refused(self, empty_home, tmp_path):
        class Payload:
            def __reduce__(self):
                return (open, (str(tmp_path / "marker"), "w"))

        folder = empty_home / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        torch.save({"a": Payload()}, folder / FILES["squeeze"][1])
        (tmp_path / "marker").unlink(missing_ok=True)
        with pytest.raises(CheckpointError):
            perceptual_distance("lpips-squeeze")
        assert not (tmp_path / "marker").exists()

    def test_a_missing_torchscript_file(self, tmp_path):
        with pytest.raises(CheckpointError, match="no such file"):
            perceptual_distance(tmp_path / "vgg16.pt")

    def test_a_file_that_is_no_torchscript(self, tmp_path):
        path = tmp_path / "vgg16.pt"
        path.write_text("hello")
        with pytest.raises(CheckpointError, match="TorchScript"):
            perceptual_distance(path)

    def test_an_unknown_name(self):
        with pytest.raises(SettingsError, match="lpips-vgg"):
            perceptual_distance("ssim")

    def test_the_digit_distance_compares_digits_only(self):
        distance = perceptual_distance("builtin:digits")
        with pytest.raises(ImageError, match="32x32"):
            distance(pictures(1, 64), pictures(1, 64))


def test_the_backbone_in_16_bits(torch_home):
    distance = latentlab.perceptual_distance("lpips-squeeze")
    first, second = pictures(2), pictures(2, seed=1)
    exact = distance(first, second)
    near = latentlab.in_precision(distance, "bfloat16")(first, second)
    assert near.dtype == torch.float32
    # Measured: 0.2 %.
    torch.testing.assert_close(near, exact, rtol=0.01, atol=0)
    assert not torch.equal(near, exact)
