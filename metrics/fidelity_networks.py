"""The networks whose features fidelity compares, as torch-fidelity builds them."""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from latentlab import CheckpointError, SettingsError
from latentlab.checks import check_choice
from latentlab.errors import reason
from latentlab.files import is_file, sha256_of
from latentlab.foreign_files.opening import all_unchanging
from latentlab.pretrained import hub_file, hub_place, read_weights
from latentlab.torchscript import (
    is_torchscript,
    open_torchscript,
    refuse_program,
    run_program,
)

METRICS = ("fid", "kid", "prc")
INCEPTION, VGG16 = "inception-v3-compat", "vgg16"  # torch-fidelity's names
NVIDIAS_VGG16 = "vgg16 of a TorchScript file"

_OPTIONS: Mapping[str, str] = {INCEPTION: "weights", VGG16: "vgg_weights"}  # of the file of each
_IMAGES_AT_ONCE = 32  # pictures grow to 299 or 224 pixels, whatever their size


@dataclass(frozen=True)
class Extractor:
    """A network, and the layer whose features count.

    Attributes:
        name: What torch-fidelity calls the network and the layer.
        network: The network, on its device.
        sha256: Of the file of its weights; None where it brought its own.
    """

    name: str
    network: nn.Module
    sha256: str | None

    @torch.no_grad()
    def features(self, pixels: Tensor) -> NDArray[np.float32]:
        """Return features [N,D] of pictures [N,3,H,W] in 0..255."""
        parts = [self.network(part)[0].cpu() for part in pixels.split(_IMAGES_AT_ONCE)]
        return np.asarray(torch.cat(parts).float().numpy())


class ProgramFeatures(nn.Module):
    """The features of NVIDIA's vgg16.pt, by which StyleGAN2's precision and recall were measured.

    A TorchScript file is a program: use one whose origin you trust. Its features are the
    program's own, by a scaling of pictures that is known to it alone.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        # Whether it may run has been asked by ``find_weights``.
        self._path, self._network = path, open_torchscript(path, True, "")

    def forward(self, pixels: Tensor) -> tuple[Tensor]:
        """Return features [N,D] of pictures [N,3,H,W] in 0..255.

        Raises:
            CheckpointError: If the file cannot be called as NVIDIA's.
        """
        refusal = f"{self._path}: cannot be called as NVIDIA's vgg16.pt is"
        found = run_program(self._network, pixels.float(), refusal, return_features=True)
        return (found.flatten(1),)


def open_extractors(
    metrics: Sequence[str],
    device: torch.device | str,
    weights: Path | str | None = None,
    vgg_weights: Path | str | None = None,
    extractor: str | None = None,
    *,
    trust: bool = True,
) -> dict[str, Extractor]:
    """Return the network of each metric, in the order of METRICS; see ``fidelity``.

    Raises:
        SettingsError: If torch-fidelity is not installed, or a name is unknown.
        CheckpointError: If weights are missing, or not those of the network.
    """
    files = find_weights(metrics, weights, vgg_weights, extractor, trust=trust)
    layers = _layers(metrics, extractor)
    built = {
        (name, layer): _built(name, layer, files.get(name), device)
        for name, layer in dict.fromkeys(layers.values())
    }
    return {metric: built[layers[metric]] for metric in layers}


def find_weights(
    metrics: Sequence[str],
    weights: Path | str | None = None,
    vgg_weights: Path | str | None = None,
    extractor: str | None = None,
    *,
    trust: bool = True,
) -> dict[str, Path]:
    """Return the files that ``open_extractors`` reads, by network; published ones are fetched.

    ``trust`` is for files that are programs, and for published ones with another SHA-256.

    Raises:
        SettingsError: If torch-fidelity is not installed, or a name is unknown.
        CheckpointError: If one is missing and cannot be fetched, or needs ``trust``.
    """
    given = {INCEPTION: weights, VGG16: vgg_weights}
    names = dict.fromkeys(name for name, _ in _layers(metrics, extractor).values())
    return {name: _weight_file(name, given[name], trust) for name in names if name in given}


def unfetched(
    metrics: Sequence[str],
    weights: Path | str | None = None,
    vgg_weights: Path | str | None = None,
    extractor: str | None = None,
) -> list[Path]:
    """Return where the published files would go that ``find_weights`` would have to fetch.

    Raises:
        SettingsError: As ``find_weights``.
    """
    given = {INCEPTION: weights, VGG16: vgg_weights}
    names = dict.fromkeys(name for name, _ in _layers(metrics, extractor).values())
    places = [hub_place(_url(name)) for name in names if name in given and given[name] is None]
    return [place for place in places if not is_file(place)]


def _layers(metrics: Sequence[str], extractor: str | None) -> dict[str, tuple[str, str]]:
    """Return the network and layer by metric: the library's choice, or one network for all."""
    if not metrics:
        raise SettingsError(f"`metrics` must be one of {', '.join(METRICS)}, but got nothing")
    for metric in metrics:
        check_choice(metric, "metrics", METRICS)
    try:
        with warnings.catch_warnings():  # the library changes the process's filters
            from torch_fidelity import utils
    except ImportError as error:
        raise SettingsError(
            f"FID, KID, precision and recall are torch-fidelity's, which cannot be imported "
            f"({error}); pip install latentlab[fidelity]"
        ) from error
    chosen = {}
    for metric in (each for each in METRICS if each in metrics):
        asked: dict[str, Any] = {metric: True, "feature_extractor": extractor}
        try:
            name = utils.resolve_feature_extractor(**asked)
        except ValueError as error:
            raise SettingsError(f"`extractor` is unknown to torch-fidelity: {error}") from error
        chosen[metric] = (name, utils.resolve_feature_layer_for_metric(metric, **asked))
    return chosen


def _weight_file(name: str, given: Path | str | None, trust: bool) -> Path:
    """Return the weights of the Inception or VGG16 network: a given file, or the published one."""
    if given is None:
        instead = f"give the file by `{_OPTIONS[name]}`"
        return hub_file(_url(name), f"{name}: the weights", instead, trust=trust)
    file = Path(given)
    if not is_file(file):
        raise CheckpointError(f"{given}: no such file; expected the weights of {name}")
    if name == VGG16 and not trust and is_torchscript(file):
        refuse_program(file, f"give torchvision's weights by `{_OPTIONS[name]}`, or none")
    return file


def _url(name: str) -> str:
    if name == VGG16:
        from torchvision.models import VGG16_Weights

        return str(VGG16_Weights.IMAGENET1K_V1.url)
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    return str(URL_INCEPTION_V3)


def _built(name: str, layer: str, file: Path | None, device: torch.device | str) -> Extractor:
    """Build a network around weights that are read as data; without a file it has its own."""
    with all_unchanging(file):
        digest = None if file is None else sha256_of(file)
        return _around(name, layer, file, device, digest)


def _around(
    name: str, layer: str, file: Path | None, device: torch.device | str, digest: str | None
) -> Extractor:
    from torch_fidelity.utils import create_feature_extractor

    if name == VGG16 and file is not None and is_torchscript(file):
        program = ProgramFeatures(file).eval().requires_grad_(False)
        return Extractor(NVIDIAS_VGG16, program.to(device), digest)
    settings: dict[str, Any] = {"cuda": False, "verbose": False}
    if file is not None:
        # The library would run what a pickle asks for; it is given our copy of plain tensors.
        copy = io.BytesIO()
        torch.save(read_weights(file), copy)
        copy.seek(0)
        settings["feature_extractor_weights_path"] = copy
    try:
        with torch.random.fork_rng(devices=[]):  # layers start at random before they are filled
            network = create_feature_extractor(name, [layer], **settings)
    except (OSError, RuntimeError, AttributeError, TypeError) as error:
        what = f"{name} cannot be built" if file is None else f"{file}: not the weights of {name}"
        raise CheckpointError(f"{what} ({reason(error, -1)})") from error
    return Extractor(f"{name} {layer}", network.to(device), digest)
