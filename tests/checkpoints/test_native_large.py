import pytest
import torch

import latentlab
from latentlab.networks.generator import Generator
from latentlab.networks.stylegan2_config import StyleGAN2Config
from latentlab.numerics import seeded_initialisation


@pytest.mark.slow
def test_a_full_size_generator_opens_and_renders_the_same_image(tmp_path):
    with seeded_initialisation(0):
        g = Generator(StyleGAN2Config(resolution=1024)).eval().requires_grad_(False)
    latentlab.save(g, tmp_path / "large.safetensors")
    loaded = latentlab.load(tmp_path / "large.safetensors").generator
    ws = torch.randn([1, g.num_ws, g.w_dim], generator=torch.Generator().manual_seed(0))
    image = loaded.synthesis(ws)
    assert image.shape == (1, 3, 1024, 1024)
    assert torch.equal(image, g.synthesis(ws))
