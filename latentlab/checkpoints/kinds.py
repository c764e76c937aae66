"""The kinds of checkpoints in words, and what is known of their licences."""

from collections.abc import Mapping
from types import MappingProxyType

from latentlab.checkpoints.checkpoint import Checkpoint
from latentlab.models import is_builtin

_NVIDIA = "NVIDIA's own models of this kind are for non-commercial use only"
_CONVERTED = "what was converted from NVIDIA's models keeps their licence, non-commercial use only"

# kind -> (what it is and whose files these are, what is known of the licence).
_KINDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "stylegan2-ada": ("StyleGAN2 of stylegan2-ada-pytorch", _NVIDIA),
        "stylegan2-tf": ("StyleGAN2 of NVIDIA's TensorFlow releases", _NVIDIA),
        "stylegan1-tf": ("StyleGAN1 of NVIDIA's TensorFlow release", _NVIDIA),
        "progan-tf": ("Progressive GAN of NVIDIA's TensorFlow release", _NVIDIA),
        "classifier-tf": ("attribute classifier of NVIDIA's StyleGAN1 release", _NVIDIA),
        "stylegan2-rosinality": ("StyleGAN2 of rosinality/stylegan2-pytorch", _CONVERTED),
        "stylegan1-rosinality": ("StyleGAN1 of rosinality/style-based-gan-pytorch", _CONVERTED),
        "stylegan2-yuuho": ("StyleGAN2 of yuuho/stylegans-pytorch", _CONVERTED),
        "stylegan1-yuuho": ("StyleGAN1 of yuuho/stylegans-pytorch", _CONVERTED),
        "stylegan3-t-nvidia": ("StyleGAN3-T of NVIDIA's release", _NVIDIA),
        "stylegan3-r-nvidia": ("StyleGAN3-R of NVIDIA's release", _NVIDIA),
        "stylegan3-native": ("StyleGAN3 in latentlab's own format", ""),
        "stylegan2-native": ("StyleGAN2 in latentlab's own format", ""),
        "stylegan1-native": ("StyleGAN1 in latentlab's own format", ""),
        "progan-native": ("Progressive GAN in latentlab's own format", ""),
        "classifier": ("classifier in latentlab's own format", ""),
    }
)


def kind_in_words(kind: str) -> str:
    """Say what kind of checkpoint it is, for a person."""
    words, _ = _KINDS.get(kind, (kind, ""))
    return words


def licence_note(checkpoint: Checkpoint) -> str | None:
    """Return what can be said of the licence of a checkpoint's weights.

    The note that the file carries itself comes first. Weights of other projects belong to whoever
    trained or published them; latentlab's own files say nothing unless their author did.
    """
    carried = checkpoint.metadata.get("licence")
    if isinstance(carried, str):
        return carried
    if is_builtin(checkpoint.path):
        return "MIT"
    if checkpoint.kind == "classifier" or checkpoint.kind.endswith("-native"):
        return None
    _, known = _KINDS.get(checkpoint.kind, ("", ""))
    note = (
        f"The weights come from {checkpoint.path.name} and remain under the licence of whoever "
        "trained or published them"
    )
    return f"{note}; {known}." if known else f"{note}."
