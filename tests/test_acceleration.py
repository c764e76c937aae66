"""Networks that are compiled, or compute in 16 bits, against the networks themselves."""

import copy
import logging

import pytest
import torch

import latentlab
from latentlab import ProjectorSettings, SettingsError, compiled, in_precision
from latentlab.acceleration import check_exact, is_compiled, plain, precision_of
from metrics import droplets, perceptual_path_length
from tests.conftest import make_generator, make_progan, make_stylegan1
from tests.support.tolerances import EQUAL_LAYOUT

# Half the distance between neighbours at 1, by the type: what one rounding may move, as a share.
ROUNDING = {"bfloat16": 2**-9, "float16": 2**-12}
# Through two blocks of both types the root mean square by the standard deviation is 3.2 to 8.0
# roundings, by the network.
ROUNDINGS = 24


@pytest.fixture
def g():
    return make_generator()


@pytest.fixture
def digits():
    return latentlab.perceptual_distance("builtin:digits")


@pytest.fixture
def compilations(monkeypatch):
    """Have torch.compile double the network's numbers instead, and note what it is given."""
    found = []

    def double(function, dynamic):
        assert dynamic is False

        def run(*inputs):
            found.append(inputs)
            made = function(*inputs)
            return [2 * each for each in made] if isinstance(made, list) else 2 * made

        return run

    monkeypatch.setattr(torch, "compile", double)
    return found


def latents(g, count=2, seed=1):
    return torch.randn(count, g.z_dim, generator=torch.Generator().manual_seed(seed))


# Compiled.


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_numbers(g, digits):
    z, twin = latents(g), compiled(g)
    for _ in range(2):
        assert (twin(z) - g(z)).abs().max() < EQUAL_LAYOUT
        with torch.no_grad():  # what was kept of the weights is no longer true
            for weight in g.synthesis.parameters():
                weight.mul_(1.5)
    first, second = torch.rand(2, 3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(compiled(digits)(first, second), digits(first, second),
                               rtol=1e-4, atol=EQUAL_LAYOUT)  # fmt: skip


def test_what_is_compiled_is_called(g, digits, compilations):
    z, twin = latents(g), compiled(g)
    assert torch.equal(twin(z), 2 * g(z))
    assert torch.equal(twin(z, noise_mode="none"), g(z, noise_mode="none"))  # of other maps
    assert torch.equal(twin(z[:1]), g(z[:1]))  # of another batch size
    assert len(compilations) == 1
    pictures = torch.rand(2, 3, 32, 32)
    assert torch.equal(compiled(digits).features(pictures)[0], 2 * digits.features(pictures)[0])


def test_the_network_itself_and_copies_compute_as_ever(g, compilations):
    z = latents(g)
    before = g(z)
    twin = compiled(g)
    twin(z)
    assert (is_compiled(twin), is_compiled(g)) == (True, False)
    assert is_compiled(copy.deepcopy(twin)) is False
    for network in (g, copy.deepcopy(twin), plain(twin)):
        assert torch.equal(network(z), before)
    assert twin.state_dict().keys() == g.state_dict().keys()
    assert twin.synthesis.b4.const is g.synthesis.b4.const


def test_what_takes_no_derivatives_can_be_left_exact(g, compilations):
    z, twin = latents(g), compiled(g, gradients_only=True)
    with torch.no_grad():
        assert torch.equal(twin(z), g(z))
    assert torch.equal(twin(z), 2 * g(z))


def test_a_twin_of_a_twin_keeps_what_the_first_is_for(g, compilations):
    z, half = latents(g), in_precision(g, "bfloat16", gradients_only=True)
    with torch.no_grad():
        assert torch.equal(compiled(half)(z), g(z))
    assert precision_of(in_precision(half, "float32")) == "float32"
    assert torch.equal(in_precision(half, "float32")(z), g(z))
    assert in_precision(g, "float32") is g
    twin = compiled(g)
    assert compiled(twin) is twin


def test_without_a_compiler_a_network_computes_as_ever_and_says_so(g, monkeypatch, caplog):
    class InvalidCxxCompiler(RuntimeError):
        pass

    def fail(*_):
        raise InvalidCxxCompiler("No working C++ compiler found: g++, clang++")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: fail)
    z, twin = latents(g), compiled(g)
    with caplog.at_level(logging.WARNING, "latentlab"):
        assert torch.equal(twin(z), g(z))
        assert torch.equal(twin(z), g(z))
    (record,) = caplog.records
    assert record.getMessage() == (
        "the generator is not compiled, and computed as ever: there is no C++ compiler (g++, or "
        "what CXX names)"
    )


def test_a_lack_of_memory_is_no_fault_of_the_compiler(g, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("no memory")

    monkeypatch.setattr(torch, "compile", lambda *_, **__: fail)
    with pytest.raises(torch.OutOfMemoryError):
        compiled(g)(latents(g))


def test_a_network_of_another_kind_is_refused(g):
    with pytest.raises(SettingsError, match="a Linear is neither a generator nor a perceptual"):
        compiled(torch.nn.Linear(1, 1))


# In 16 bits.


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("precision", ROUNDING)
def test_pictures_in_16_bits_are_off_by_a_few_roundings(precision, architecture):
    g = make_generator(architecture=architecture)
    z, twin = latents(g, 4), in_precision(g, precision)
    with torch.no_grad():
        exact, near = g(z), twin(z)
    share = float((near - exact).square().mean().sqrt() / exact.std())
    assert 0 < share < ROUNDINGS * ROUNDING[precision]
    assert near.dtype == torch.float32
    assert (precision_of(twin), precision_of(g)) == (precision, "float32")


def test_large_styles_stay_within_the_range_of_float16(g):
    with torch.no_grad():
        for block in g.synthesis.blocks:
            for layer in block.convs:
                layer.affine.bias.add_(100)  # energies of 10,000 a channel
        z = latents(g)
        exact, near = g(z), in_precision(g, "float16")(z)
    assert (near - exact).square().mean().sqrt() < 0.01 * exact.std()


def test_how_many_resolutions_may_be_said(g):
    z = latents(g)
    with torch.no_grad():
        exact = g(z)
        off = [(in_precision(g, "bfloat16", resolutions=n)(z) - exact).square().mean()
               for n in (1, 2, 9)]  # fmt: skip
    assert 0 < off[0] < off[1] == off[2]  # 4x4 stays
    with pytest.raises(SettingsError, match="`resolutions` must be"):
        in_precision(g, "bfloat16", resolutions=0)


def test_derivatives_of_an_average_reach_latents_and_noise():
    g = make_generator(resolution=64)
    ws = g.mapping(latents(g)).requires_grad_(True)
    rng = torch.Generator().manual_seed(2)
    noise = [torch.randn(2, *shape[1:], generator=rng).requires_grad_(True)
             for shape in g.synthesis.noise_shapes]  # fmt: skip

    def gradients(network):
        loss = 0.1 * network.synthesis(ws, noise=noise).square().mean()
        return torch.autograd.grad(loss, [ws, *noise])

    exact, near = gradients(g), gradients(in_precision(g, "float16"))
    # Where a pixel lies beyond a leaky ReLU's bend, they differ by more than rounding; measured:
    # 0.03.
    for a, b in zip(near, exact, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).norm() < 0.1 * b.norm()


@pytest.mark.parametrize("make", [make_stylegan1, make_progan])
def test_networks_that_are_not_known_to_bear_16_bits_are_refused(make):
    with pytest.raises(SettingsError, match="only StyleGAN2's layers are known to bear 16 bits"):
        in_precision(make(), "float16")
    assert in_precision(g := make(), "float32") is g


def test_a_projection_searches_in_16_bits_and_ends_in_float32(digits):
    g = make_generator(resolution=32)
    with torch.no_grad():
        target = g(latents(g, 1, seed=5)).clamp(-1, 1)
    settings = ProjectorSettings(steps=20, w_samples=100)
    twin = in_precision(g, "bfloat16", gradients_only=True)
    found = latentlab.project(twin, target, digits, settings=settings)
    with torch.no_grad():
        drawn = g.synthesis(found.ws, noise=list(found.noise))
    assert torch.equal(found.images, drawn)
    assert found.distance < found.start_distance


# Metrics.


def test_metrics_refuse_16_bits(g, digits):
    with pytest.raises(SettingsError, match="measured in float32, as published figures are"):
        perceptual_path_length(in_precision(g, "bfloat16"), digits, num_samples=4)
    with pytest.raises(SettingsError, match="not in float16"):
        droplets(in_precision(g, "float16"), num_samples=4)
    check_exact(g, digits, compiled(g))


def test_feature_maps_of_a_twin_are_those_of_the_network(g, compilations):
    twin = compiled(g)
    first, second = (droplets(each, num_samples=4) for each in (g, twin))
    assert first.samples.equals(second.samples)
    assert first.rows.equals(second.rows)
    assert is_compiled(twin)
    assert compilations == []


def test_a_path_length_says_that_it_was_compiled(compilations):
    g, digits = make_generator(resolution=32), latentlab.perceptual_distance("builtin:digits")
    compiled_one = perceptual_path_length(compiled(g), digits, num_samples=4)
    assert compiled_one.settings["compiled"] is True
    assert "compiled" not in perceptual_path_length(g, digits, num_samples=4).settings
