"""Who asks for a network that cannot be, decides which error it is."""

import json

import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import latentlab
from cli.main import main
from latentlab import SettingsError, UnsupportedCheckpoint
from latentlab.networks.classifier import ClassifierConfig
from latentlab.networks.config import MappingConfig
from latentlab.networks.mapping import MappingNetwork
from latentlab.networks.stylegan1_config import ProGANConfig, StyleGAN1Config
from latentlab.networks.stylegan2_config import StyleGAN2Config, StyleGAN2DiscriminatorConfig
from latentlab.networks.stylegan3_config import StyleGAN3Config
from tests.conftest import make_generator


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: StyleGAN2Config(resolution=48), "resolution"),
        (lambda: StyleGAN2Config(32, architecture="both"), "architecture"),
        (lambda: StyleGAN2DiscriminatorConfig(32, mbstd_num_channels=3), "mbstd_num_channels"),
        (lambda: StyleGAN1Config(32, negative_slope=1), "negative_slope"),
        (lambda: StyleGAN1Config(32, mapping_negative_slope=-1), "mapping_negative_slope"),
        (lambda: ProGANConfig(32, pixel_norm=1), "pixel_norm"),
        (lambda: StyleGAN3Config(32, first_cutoff=0), "first_cutoff"),
        (lambda: ClassifierConfig(32, 3, ()), "classes"),
        (lambda: MappingNetwork(MappingConfig(3, 4, 0), 0, None), "w_dim"),
    ],
)
def test_a_setting_of_a_user_is_a_wrong_setting(make, named):
    with pytest.raises(SettingsError, match=f"`{named}` must be") as caught:
        make()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, UnsupportedCheckpoint)  # as callers before have caught it
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "settings",
    [
        {"resolution": 48},
        {"resample_filter": [1, 10**400]},  # no float is as large
        {"mapping_layers": 0, "z_dim": 3, "w_dim": 4},  # told by the network
    ],
)
def test_a_setting_of_a_file_is_a_bad_file(settings, tmp_path):
    path = tmp_path / "odd.safetensors"
    latentlab.save(make_generator(), path)
    with safe_open(path, "pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    networks = json.loads(header["networks"])
    networks["G_ema"]["config"] |= settings
    save_file(tensors, path, {**header, "networks": json.dumps(networks)})
    with pytest.raises(UnsupportedCheckpoint, match=r"odd\.safetensors: G_ema: `") as caught:
        latentlab.load(path)
    assert not isinstance(caught.value, SettingsError)
    done = CliRunner().invoke(main, ["info", str(path)])
    assert (done.exit_code, "odd.safetensors" in done.stderr) == (3, True)


def test_data_that_no_network_of_the_config_fits_is_a_wrong_setting(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "one.png")
    done = CliRunner().invoke(main, [
        "train", "--data", str(tmp_path), "--config", "stylegan2-small", "--resolution", "2048",
        "-o", str(tmp_path / "run"),
    ])  # fmt: skip
    assert done.exit_code == 2
    assert "--config stylegan2-small is not for pictures of 2048x2048" in done.stderr
