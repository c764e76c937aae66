"""SSIM and MS-SSIM against scikit-image, a reference in float64, and two other libraries."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity as of_skimage

from metrics.picture_pairs.structural_similarity import SMALLEST, WEIGHTS, structural_similarity
from tests.support.pairs import photograph, results_of

EXACT = 1e-9  # absolute: both compute in float64
# Absolute, as asked of independent implementations. Theirs compute in float32 (3e-6 apart), and
# pytorch-msssim multiplies scales by colour before it averages (6e-4 on compressed pictures).
INDEPENDENT = 1e-3

NAMES = ["blurred", "compressed", "darker", "moved", "noisy"]


def planes(pixels):
    return torch.from_numpy(pixels.astype(np.float64)).permute(2, 0, 1)[None]


def both(name, side=192):
    target = photograph(side)
    return target, results_of(target)[name]


def at_one_scale(x, y):
    """Wang et al. 2004, Eqs. 12 and 13, of pictures [H,W]: mean similarity, mean contrast."""
    places = np.arange(11) - 5
    window = np.exp(-(places[:, None] ** 2 + places**2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(picture):
        return convolve2d(picture, window, mode="valid")

    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    contrast = 2 * (mean(x * y) - mean(x) * mean(y)) + (0.03 * 255) ** 2
    contrast = contrast / (variances + (0.03 * 255) ** 2)
    luminance = 2 * mean(x) * mean(y) + (0.01 * 255) ** 2
    luminance = luminance / (mean(x) ** 2 + mean(y) ** 2 + (0.01 * 255) ** 2)
    return (luminance * contrast).mean(), contrast.mean()


def reference(first, second):
    """MS-SSIM in plain numpy (Wang et al. 2003, Eq. 7), the mean over colours at each scale."""
    x, y = (picture.astype(np.float64) for picture in (first, second))
    product = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        parts = np.array([at_one_scale(x[:, :, c], y[:, :, c]) for c in range(x.shape[2])])
        whole, contrast = parts.mean(axis=0)
        product *= max(whole if scale == 4 else contrast, 0) ** weight
        high, wide = (size // 2 * 2 for size in x.shape[:2])
        x, y = (
            (each[:high:2, :wide:2] + each[1:high:2, :wide:2] + each[:high:2, 1:wide:2]
             + each[1:high:2, 1:wide:2]) / 4
            for each in (x, y)
        )  # fmt: skip
    return product


@pytest.mark.parametrize("name", NAMES)
def test_ssim_is_scikit_images(name):
    target, result = both(name)
    expected = of_skimage(
        target, result, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    found = structural_similarity(planes(target), planes(result))
    assert found.ssim[0] == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [192, 181])
def test_ms_ssim_is_the_papers_formula(name, side):
    target, result = both(name, side)
    found = structural_similarity(planes(target), planes(result))
    assert found.ms_ssim[0] == pytest.approx(reference(target, result), abs=EXACT)


@pytest.mark.parametrize("name", NAMES)
def test_ms_ssim_is_that_of_pytorch_msssim(name):
    library = pytest.importorskip("pytorch_msssim")
    target, result = both(name)
    expected = float(library.ms_ssim(planes(target), planes(result), data_range=255))
    found = structural_similarity(planes(target), planes(result))
    assert found.ms_ssim[0] == pytest.approx(expected, abs=INDEPENDENT)


@pytest.mark.parametrize("name", NAMES)
def test_both_are_those_of_torchmetrics_within_the_border(name):
    """torchmetrics mirrors pictures beyond their border, which neither paper does.

    Its SSIM is compared where no window leaves the picture, and in its MS-SSIM the last scale,
    which alone has such windows there, is replaced by that mean.
    """
    library = pytest.importorskip("torchmetrics.functional.image")
    target, result = both(name)
    x, y = planes(target), planes(result)

    def ssim(first, second):
        mean, each = library.structural_similarity_index_measure(
            first, second, data_range=255.0, return_full_image=True
        )
        return float(mean), float(each[..., 5:-5, 5:-5].mean())

    found = structural_similarity(x, y)
    assert found.ssim[0] == pytest.approx(ssim(x, y)[1], abs=INDEPENDENT)
    whole = float(library.multiscale_structural_similarity_index_measure(x, y, data_range=255.0))
    for _ in range(4):
        x, y = (torch.nn.functional.avg_pool2d(each, 2) for each in (x, y))
    mirrored, inside = ssim(x, y)
    expected = whole * (inside / mirrored) ** WEIGHTS[-1]
    assert found.ms_ssim[0] == pytest.approx(expected, abs=INDEPENDENT)


def test_equal_pictures_are_alike():
    picture = planes(photograph(200))
    found = structural_similarity(picture, picture)
    assert found.ssim[0] == pytest.approx(1, abs=EXACT)
    assert found.ms_ssim[0] == pytest.approx(1, abs=EXACT)


def test_opposed_pictures_have_no_power_that_does_not_exist():
    picture = planes(photograph(200))
    assert structural_similarity(picture, 255 - picture).ms_ssim[0] == 0


@pytest.mark.parametrize(
    ("side", "known"), [(10, (False, False)), (11, (True, False)), (SMALLEST - 1, (True, False)),
                        (SMALLEST, (True, True))]
)  # fmt: skip
def test_small_pictures_have_neither_or_one(side, known):
    picture = planes(photograph(side))
    found = structural_similarity(picture, picture)
    assert (bool(np.isfinite(found.ssim[0])), bool(np.isfinite(found.ms_ssim[0]))) == known


def test_a_picture_does_not_depend_on_its_neighbours():
    target, result = both("noisy", 180)
    x = torch.cat([planes(target), planes(result)])
    y = torch.cat([planes(result), planes(result)])
    together = structural_similarity(x, y)
    alone = structural_similarity(x[:1], y[:1])
    assert together.ms_ssim[0] == pytest.approx(alone.ms_ssim[0], abs=EXACT)
    assert together.ms_ssim[1] == pytest.approx(1, abs=EXACT)
