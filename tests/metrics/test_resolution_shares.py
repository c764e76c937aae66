import numpy as np
import pytest
import torch

import latentlab
from latentlab import LatentError, NumericalError, SettingsError
from metrics import MetricResult, contributions
from metrics.resolution_shares import contributions_of
from tests.conftest import make_fastgan, make_generator, make_progan

# Relative; measured 5e-8, from images that differ by 2e-5.
PUBLISHED = 1e-5


@pytest.fixture(scope="module")
def g():
    return make_generator()


def test_shares_equal_a_float64_computation_on_all_pixels_at_once(g):
    ws = torch.randn([40, g.num_ws, g.w_dim], generator=torch.Generator().manual_seed(0))
    frame = contributions_of(g, ws.split(7))
    rgb = {size: x.double().numpy() for size, x in g.rgb_by_resolution(ws).items()}
    full = {size: g.synthesis.upsample_rgb(torch.from_numpy(x)).numpy() for size, x in rgb.items()}
    for measure, parts in (("native", rgb), ("upsampled", full)):
        rows = frame[frame["measure"] == measure].set_index("resolution")
        spread = {size: x.std() for size, x in parts.items()}
        for size, std in spread.items():
            assert rows.loc[size, "std"] == pytest.approx(std, rel=1e-5)
            share = 100 * std / sum(spread.values())
            assert rows.loc[size, "value"] == pytest.approx(share, rel=1e-5)


def test_shares_are_those_of_the_published_generator(shared):
    ref = np.load(shared / "sg2_skip_32_contrib_ref.npz")
    g = latentlab.load(shared / "sg2_skip_32.pkl").generator
    z = np.random.RandomState(int(ref["z_seed"])).randn(int(ref["num"]), g.z_dim)
    with torch.no_grad():
        ws = g.mapping(torch.from_numpy(z.astype(np.float32)))
    frame = contributions_of(g, ws.split(64))
    for measure in ("native", "upsampled"):
        rows = frame[frame["measure"] == measure]
        assert rows["resolution"].tolist() == ref["resolutions"].tolist()
        np.testing.assert_allclose(rows["value"], ref[f"percent_{measure}"], rtol=PUBLISHED)
        np.testing.assert_allclose(rows["std"], ref[f"std_{measure}"], rtol=PUBLISHED)


def test_a_planted_contribution_is_found():
    g = make_generator()
    for block in g.synthesis.blocks:  # only 8x8 varies
        block.torgb.weight.mul_(1.0 if block.resolution == 8 else 0.0)
    frame = contributions(g, num_samples=16).frame()
    shares = frame[frame["measure"] == "native"].set_index("resolution")["value"]
    biases = [block.torgb.bias.double().std(correction=0) for block in g.synthesis.blocks]
    assert shares[8] == shares.max()
    assert shares[4] / shares[16] == pytest.approx(float(biases[0] / biases[2]), rel=1e-4)


def test_the_batch_size_changes_nothing(g):
    frames = [contributions(g, num_samples=30, batch=batch).frame() for batch in (1, 7, 30)]
    for frame in frames[1:]:
        assert frame.drop(columns="seconds").equals(frames[0].drop(columns="seconds"))


def test_rows_carry_their_settings(g):
    result = contributions(g, num_samples=8, seed=3)
    frame = result.frame()
    assert frame["n"].unique().tolist() == [8]
    assert frame["seed"].unique().tolist() == [3]
    assert frame["metric"].unique().tolist() == ["contributions"]
    np.testing.assert_allclose(frame.groupby("measure")["value"].sum(), 100)


def test_labels_are_drawn_for_a_conditional_generator():
    frame = contributions(make_generator(c_dim=3), num_samples=8).frame()
    assert len(frame) == 6


def test_other_architectures_and_empty_samples_are_refused(g):
    with pytest.raises(LatentError, match="skip"):
        contributions(make_generator(architecture="resnet"), num_samples=4)
    for make, called in ((make_progan, "a Progressive GAN"), (make_fastgan, "a FastGAN")):
        with pytest.raises(LatentError, match=f"skip .* this one, {called}, makes"):
            contributions(make(), num_samples=4)
    with pytest.raises(SettingsError, match="num_samples"):
        contributions(g, num_samples=0)


def test_a_result_that_is_not_finite_is_an_error(g):
    rows = contributions(g, num_samples=4).rows
    with pytest.raises(NumericalError, match="value"):
        MetricResult("contributions", rows.assign(value=float("nan")), {})
