"""Shared fixtures: the reference data beside the repository, and small networks made here."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import torch

from latentlab import Generator
from latentlab.networks.discriminators import StyleGAN1Discriminator, StyleGAN2Discriminator
from latentlab.networks.fastgan import FastGAN
from latentlab.networks.fastgan_config import FastGANConfig
from latentlab.networks.lucidrains import LucidrainsConfig
from latentlab.networks.progan import ProGAN
from latentlab.networks.stylegan1_config import (
    ProGANConfig,
    StyleGAN1Config,
    StyleGAN1DiscriminatorConfig,
)
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.stylegan3_config import StyleGAN3Config
from latentlab.networks.stylegan_xl_config import LayerRow, StyleGANXLConfig
from latentlab.numerics import seeded_initialisation
from tests.support.generators.stylegan3_reference import bands, lowpass, radial_lowpass

SHARED = Path(__file__).parents[2] / "shared" / "fixtures"
DATA = Path(__file__).parent / "data"
# Bytes that refusing a file may take: torch's meta device loads code on first use.
ALLOWANCE = 2**28


def pytest_configure(config: pytest.Config) -> None:
    """Hand files to pytest-xdist's processes in their order.

    By itself it keeps those of few tests for the end. These are the long ones here (a tutorial, a
    training), and while the last of them runs, the other processes have nothing left to do.
    """
    if hasattr(config.option, "loadscopereorder"):  # there is a pytest-xdist
        config.option.loadscopereorder = False


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of genuine checkpoints with reference outputs, or skip."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data not found at {SHARED}")
    return SHARED


@pytest.fixture
def data() -> Path:
    """The small reference files kept in the repository."""
    return DATA


def randomise(network: torch.nn.Module, seed: int = 0) -> None:
    """Move every parameter and buffer off its initial value, so that each one counts."""
    rng = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if not name.endswith(("_filter", "lod")):
            tensor.add_(torch.randn(tensor.shape, generator=rng) * 0.2)


def make_generator(seed: int = 0, **changes: object) -> Generator:
    """A small generator with every weight off its initial value."""
    settings: dict[str, object] = {
        "resolution": 16, "channel_base": 128, "channel_max": 8,
        "z_dim": 6, "w_dim": 5, "mapping_layers": 2,
    }  # fmt: skip
    with seeded_initialisation(seed):
        g = Generator(StyleGAN2Config(**{**settings, **changes}))  # type: ignore[arg-type]
    randomise(g, seed)
    return g.eval().requires_grad_(False)


def make_discriminator(seed: int = 0, **changes: object) -> StyleGAN2Discriminator:
    """A small discriminator with every weight off its initial value."""
    settings: dict[str, object] = {"resolution": 16, "channel_base": 128, "channel_max": 8}
    with seeded_initialisation(seed):
        d = StyleGAN2Discriminator(StyleGAN2DiscriminatorConfig(**{**settings, **changes}))  # type: ignore[arg-type]
    randomise(d, seed)
    return d.eval().requires_grad_(False)


def make_stylegan1(seed: int = 0, **changes: object) -> Generator:
    """A small StyleGAN1 generator with every weight off its initial value."""
    settings: dict[str, object] = {
        "resolution": 16, "channel_base": 128, "channel_max": 8,
        "z_dim": 6, "w_dim": 5, "mapping_layers": 2,
    }  # fmt: skip
    with seeded_initialisation(seed):
        g = Generator(StyleGAN1Config(**{**settings, **changes}))  # type: ignore[arg-type]
    randomise(g, seed)
    return g.eval().requires_grad_(False)


def make_stylegan3(seed: int = 0, **changes: object) -> Generator:
    """A small StyleGAN3 generator with designed filters and every weight off its initial value."""
    settings: dict[str, object] = {
        "resolution": 16, "channel_base": 64, "channel_max": 6, "z_dim": 6, "w_dim": 5,
        "num_layers": 4, "num_critical": 1, "first_cutoff": 1.0, "first_stopband": 3.0,
        "margin_size": 4,
    }  # fmt: skip
    config = StyleGAN3Config(**{**settings, **changes})  # type: ignore[arg-type]
    with seeded_initialisation(seed):
        g = Generator(config)
    randomise(g, seed)
    signals = bands(config)
    for layer, source, target in zip(
        g.synthesis.layers, [signals[0], *signals], signals, strict=False
    ):
        rate = max(source.rate, target.rate) * config.lrelu_upsampling
        for name, band in (("up_filter", source), ("down_filter", target)):
            if hasattr(layer, name):
                taps = getattr(layer, name)
                design = lowpass if taps.ndim == 1 else radial_lowpass
                taps.copy_(torch.from_numpy(design(len(taps), band, rate)))
    return g.eval().requires_grad_(False)


def make_stylegan_xl(seed: int = 0, c_dim: int = 3, **changes: object) -> Generator:
    """A small StyleGAN-XL generator, with the layers and filters of ``make_stylegan3``."""
    like = make_stylegan3(seed, **changes)
    config = like.config
    assert isinstance(config, StyleGAN3Config)
    first = config.input_signal
    rows = [
        LayerRow(i, each.target.size, each.target.maps, each.kernel, each.up, each.down,
                 each.up_taps, each.down_taps, int(each.radial and each.down > 1))
        for i, each in enumerate(config.layers())
    ]  # fmt: skip
    own = StyleGANXLConfig(
        resolution=config.resolution, channels=config.channels, c_dim=c_dim, z_dim=config.z_dim,
        w_dim=config.w_dim, label_table=(c_dim + 2, 7) if c_dim else None, layer_table=tuple(rows),
        input_size=first.size, input_rate=first.rate, input_cutoff=first.cutoff,
        input_maps=first.maps, output_scale=config.output_scale, conv_clamp=config.conv_clamp,
    )  # fmt: skip
    with seeded_initialisation(seed):
        g = Generator(own)
    randomise(g, seed)
    g.synthesis.load_state_dict(like.synthesis.state_dict())
    return g.eval().requires_grad_(False)


def make_lucidrains(seed: int = 0, **changes: object) -> Generator:
    """A small generator of lucidrains' with every weight off its initial value."""
    settings: dict[str, object] = {
        "resolution": 16, "channel_table": (5, 4, 3), "z_dim": 6, "w_dim": 5,
        "mapping_layers": 2, "mapping_lr_multiplier": 1.0,
    }  # fmt: skip
    with seeded_initialisation(seed):
        g = Generator(LucidrainsConfig(**{**settings, **changes}))  # type: ignore[arg-type]
    randomise(g, seed)
    return g.eval().requires_grad_(False)


def make_fastgan(seed: int = 0, **changes: object) -> FastGAN:
    """A small FastGAN with every weight off its initial value."""
    settings: dict[str, object] = {
        "resolution": 128, "z_dim": 5, "channel_table": (12, 8, 6, 5, 4, 4),
    }  # fmt: skip
    with seeded_initialisation(seed):
        g = FastGAN(FastGANConfig(**{**settings, **changes}))  # type: ignore[arg-type]
    randomise(g, seed)
    for name, buffer in g.named_buffers():
        if name.endswith("running_var"):
            buffer.abs_().add_(0.1)
    return g.eval().requires_grad_(False)


def make_progan(seed: int = 0, **changes: object) -> ProGAN:
    """A small Progressive GAN with every weight off its initial value."""
    settings: dict[str, object] = {
        "resolution": 16, "channel_base": 128, "channel_max": 8, "z_dim": 6,
    }  # fmt: skip
    with seeded_initialisation(seed):
        g = ProGAN(ProGANConfig(**{**settings, **changes}))  # type: ignore[arg-type]
    randomise(g, seed)
    return g.eval().requires_grad_(False)


def make_stylegan1_discriminator(seed: int = 0, **changes: object) -> StyleGAN1Discriminator:
    """A small StyleGAN1 discriminator with every weight off its initial value."""
    settings: dict[str, object] = {"resolution": 16, "channel_base": 128, "channel_max": 8}
    with seeded_initialisation(seed):
        d = StyleGAN1Discriminator(StyleGAN1DiscriminatorConfig(**{**settings, **changes}))  # type: ignore[arg-type]
    randomise(d, seed)
    return d.eval().requires_grad_(False)


@cache
def _load_lazy_code() -> None:
    """Have torch import what it needs on its meta device, which is no memory of a file's."""
    with torch.device("meta"):
        Generator(StyleGAN2Config(resolution=8))


@contextmanager
def scarce_memory(allowance: int = ALLOWANCE) -> Iterator[None]:
    """Let the process grow by so many bytes at most."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the size of the process is read from /proc")
    import resource  # which Windows does not have

    _load_lazy_code()
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + allowance, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
