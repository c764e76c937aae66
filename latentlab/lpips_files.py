"""The networks of LPIPS, and their weights as data: published files, or safetensors.

A safetensors file of LPIPS has the tensors of two published files by their names: those of
torchvision's backbone that begin with ``features.``, and ``linN.model.1.weight`` of the lpips
package (version 0.1). Its metadata are ``format``: "lpips" and ``network``: "vgg", "alex" or
"squeeze". Of "vgg" the widths are free, and ``shift`` and ``scale`` [3] may say how images in
[-1,1] are scaled. docs/path-length.md says how to make one.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentlab.errors import CheckpointError, SettingsError, quoted
from latentlab.foreign_files.opening import open_regular
from latentlab.pretrained import hub_file, hub_place, read_weights
from latentlab.tensor_files import read_safetensors, write_safetensors
from latentlab.vgg import LpipsVgg, fill, published_names, vgg_config
from latentlab.weightless import weightless

NETWORKS = ("vgg", "alex", "squeeze")
FORMAT = "lpips"

_OWN = re.compile(r"net\.slice[0-9]+\.(.+)")  # net.slice2.5.weight is the backbone's 5.weight
_MOST = 4 * 10**8  # bytes of a file; VGG16 without its connected layers has 59 million
_TENSORS = 200  # SqueezeNet has 52
_USED = ("features.", "lin")  # of published files; the rest is for naming what a picture shows


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors does: a short length, and JSON.

    Raises:
        CheckpointError: If it cannot be read.
    """
    try:
        with open_regular(path) as file:
            start = file.read(9)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    return start[8:9] == b"{" and start[4:8] == bytes(4)


def read_lpips(path: Path) -> Any:
    """Open the network of a safetensors file of LPIPS.

    Raises:
        CheckpointError: If it is damaged, or holds something else.
    """
    header, tensors = read_safetensors(path, lambda shapes: _check(path, shapes))
    network = header.get("network", "")
    if header.get("format") != FORMAT or network not in NETWORKS:
        raise CheckpointError(
            f"{path}: a safetensors file, but not of LPIPS; its metadata must be format: "
            f"{FORMAT} and network: {', '.join(NETWORKS)}, but are {quoted(header)}"
        )
    own = {name: tensor.clone() for name, tensor in tensors.items()}  # the file may change later
    try:
        return own_vgg(own) if network == "vgg" else lpips_network(network, own)
    except CheckpointError as error:
        raise error.at(path) from error


def _check(path: Path, shapes: Mapping[str, list[int]]) -> None:
    count = sum(torch.Size(shape).numel() for shape in shapes.values())
    if len(shapes) > _TENSORS or count > _MOST // 4:
        found = f"{len(shapes)} tensors of {count:,} numbers"
        raise CheckpointError(f"{path}: {found}, more than LPIPS has")


def write_lpips(network: Any, path: Path | str) -> None:
    """Write a network of LPIPS as a safetensors file, whole or not at all.

    Raises:
        OutputError: If it cannot be written.
        SettingsError: If the name does not end in .safetensors.
    """
    if Path(path).suffix.lower() != ".safetensors":
        raise SettingsError(f"`path` must end in .safetensors, but got {quoted(str(path))}")
    if isinstance(network, LpipsVgg):
        name, weights = "vgg", published_names(network)
    else:
        name = {"vgg16": "vgg"}.get(str(network.pnet_type), str(network.pnet_type))
        state = network.state_dict()
        weights = {_published(key): tensor for key, tensor in state.items() if _is_used(key)}
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()}
    write_safetensors(tensors, Path(path), {"format": FORMAT, "network": name})


def own_vgg(weights: Mapping[str, Tensor]) -> LpipsVgg:
    """Return the VGG whose weights have the published names.

    Raises:
        CheckpointError: If there is none.
    """
    with weightless():
        network = LpipsVgg(vgg_config(weights))
    fill(network, weights)
    return network


def lpips_network(network: str, weights: Mapping[str, Tensor]) -> Any:
    """Build the lpips package's model around weights by their published names.

    Raises:
        CheckpointError: If they are not all there, or are of another shape.
    """
    import lpips

    with weightless(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lpips calls torchvision by its older names
        model = lpips.LPIPS(net=network, pretrained=False, pnet_rand=True, verbose=False)
    model.scaling_layer = lpips.ScalingLayer()  # constants, made again off the meta device
    wanted = [key for key in model.state_dict() if key.startswith(("net.", "lin"))]
    missing = [_published(key) for key in wanted if _published(key) not in weights]
    if missing:
        raise CheckpointError(f"not the weights of lpips-{network}: {missing[0]} is missing")
    own = {key: weights[_published(key)] for key in wanted}
    try:
        model.load_state_dict(own, strict=False, assign=True)
    except RuntimeError as error:
        raise CheckpointError(f"not the weights of lpips-{network} ({error})") from error
    return model


def published_lpips(network: str, trust: bool) -> Any:
    """Build a network of LPIPS around the published weights, fetching them if they are not there.

    Raises:
        CheckpointError: As ``hub_file``, and if they are damaged.
    """
    import lpips

    file = hub_file(
        backbone_url(network),
        f"lpips-{network}: the backbone weights",
        "choose another `distance`: a vgg16.pt of NVIDIA, LPIPS in .safetensors, or builtin:digits",
        trust=trust,
    )
    lins = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{network}.pth"
    try:
        return lpips_network(network, {**read_weights(file), **read_weights(lins)})
    except CheckpointError as error:
        raise error if str(file) in error.message else error.at(file) from error


def backbone_place(network: str) -> Path:
    """Return where the published backbone of a network is, or would be."""
    return hub_place(backbone_url(network))


def backbone_url(network: str) -> str:
    """Return where the backbone of a network is published."""
    from torchvision.models import AlexNet_Weights, SqueezeNet1_1_Weights, VGG16_Weights

    published = {"vgg": VGG16_Weights, "alex": AlexNet_Weights, "squeeze": SqueezeNet1_1_Weights}
    return str(published[network].IMAGENET1K_V1.url)


def _is_used(own: str) -> bool:
    return _published(own).startswith(_USED) and not own.startswith("lins.")


def _published(own: str) -> str:
    """Return the published name of a weight of the lpips package's model.

    Weights of stages are there twice: as lin0, and as lins.0.
    """
    found = _OWN.fullmatch(own)
    return f"features.{found[1]}" if found else own.replace("lins.", "lin", 1)
