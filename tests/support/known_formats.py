"""The rows of the table in docs/formats.md.

``python -m tests.support.known_formats`` measures each on the reference data and writes the table.
"""

from pathlib import Path

import numpy as np
import torch

from latentlab import Checkpoint
from tests.support.formats import Arrays, Format, Pairs, in_words, measured, tensor

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def _tensorflow(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    z, cutoff = tensor(ref["z"]), checkpoint.truncation_cutoff
    yield "images", checkpoint.generator(z, None, 0.7, cutoff), tensor(ref["images_psi07"])
    yield "scores", checkpoint.discriminator(tensor(ref["images_psi07"])), tensor(ref["D_psi07"])
    yield "w", checkpoint.generator.mapping(z), tensor(ref["w"])
    yield "images", checkpoint.generator.synthesis(tensor(ref["w"])), tensor(ref["images_w"])


def _progan(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    yield "images", checkpoint.generator(tensor(ref["z"])), tensor(ref["images_psi07"])
    yield "scores", checkpoint.discriminator(tensor(ref["images_psi07"])), tensor(ref["D_psi07"])


def _classifier(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    logits = checkpoint.classifier(tensor(ref["images"]))
    yield "logits", logits, tensor(ref["logits_0_batch8"])


def _ada(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, z = checkpoint.generator, tensor(ref["z"])
    c = tensor(ref["c"]) if ref["c"].size else None
    yield "w", g.mapping(z, c, 0.7, 4), tensor(ref["ws_psi07_cut4"])
    yield "images", g(z, c), tensor(ref["img_const"])
    yield "images", g(z, c, 0.7), tensor(ref["img_psi07_const"])
    d = checkpoint.discriminator
    for n in (1, 4, 8):
        scores = d(tensor(ref["img_const"][:n]), None if c is None else c[:n])
        yield "scores", scores, tensor(ref[f"d_n{n}"])


def _stylegan3(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, z = checkpoint.generator, tensor(ref["z"])
    yield "w", g.mapping(z)[:, :1], tensor(ref["ws"])
    yield "images", g(z), tensor(ref["img"])
    yield "images", g(z, None, 0.7), tensor(ref["img_psi07"])
    yield "scores", checkpoint.discriminator(tensor(ref["img"])), tensor(ref["d_n4"])


def _rosinality2(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, z = checkpoint.generator, tensor(ref["z"])
    yield "w", g.mapping(z)[:, 0], tensor(ref["w"])
    yield "images", g(z), tensor(ref["img_const"])
    yield "images", g(z, None, 0.7), tensor(ref["img_trunc07"])
    yield "images", g.synthesis(tensor(ref["wplus"])), tensor(ref["img_wplus"])
    yield "scores", checkpoint.discriminator(tensor(ref["img_const"])), tensor(ref["d_n8"])


def _rosinality1(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, d = checkpoint.generator, checkpoint.discriminator
    ws = g.mapping(tensor(ref["z"]))
    yield "w", ws[:, 0], tensor(ref["w"])
    for step in range(5):  # of growth, each at its own size and with its own noise
        lod, by = 8 - step, 2 ** (8 - step)
        g.synthesis.set_lod(lod)
        noise = []
        for i, shape in enumerate(g.synthesis.noise_shapes):
            rng = np.random.RandomState(i if i > step else int(ref[f"noise_seed_{i}"]))
            noise.append(tensor(rng.randn(len(ws), *shape[1:])))
        theirs = tensor(ref[f"img_step{step}_alpha1"])
        yield "images", g.synthesis(ws, noise=noise)[:, :, ::by, ::by], theirs
        if f"d_step{step}_alpha1" in ref:
            d.set_lod(lod)
            enlarged = theirs.repeat_interleave(by, 2).repeat_interleave(by, 3)
            yield "scores", d(enlarged), tensor(ref[f"d_step{step}_alpha1"])


def _yuuho(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g = checkpoint.generator
    ws = g.mapping(tensor(ref["z"]), None, 0.7, checkpoint.truncation_cutoff)
    yield "w", ws, tensor(ref["styles"][:, : g.num_ws])
    yield "images", g.synthesis(ws), tensor(ref["img"])


def _with_reference(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{name}.pkl", f"{name}_ref.npz") for name in names)


FORMATS = (
    Format(
        "latentlab's own safetensors",
        "everything it holds",
        exact="bit-equal",
    ),
    Format(
        "StyleGAN1, TensorFlow (NVlabs/stylegan, `.pkl`)",
        "G, D and Gs with every option that changes the computation: labels, the traditional "
        "generator of Table 4, networks in the middle of growing",
        _with_reference("sg1_32", "sg1_128_fused"),
        _tensorflow,
    ),
    Format(
        "StyleGAN2, TensorFlow (NVlabs/stylegan2 and stylegan2-ada, `.pkl`)",
        "configs A to F; skip, resnet and orig; labels",
        _with_reference("sg2_skip_32", "sg2_resnet_32"),
        _tensorflow,
        "activations other than lrelu: they are not computed here",
    ),
    Format(
        "Progressive GAN, TensorFlow (both releases, `.pkl`)",
        "G, D and Gs; it has no W, and says so where one is asked for",
        _with_reference("pgan_32"),
        _progan,
    ),
    Format(
        "classifiers of linear separability (`.pkl`)",
        "one network in the form of a discriminator, through `latentlab.load_classifier`",
        (("classifier_00_dbasic.pkl", "classifier_00_ref.npz"),),
        _classifier,
    ),
    Format(
        "stylegan2-ada-pytorch (`network-snapshot-*.pkl`)",
        "G_ema, G and D; skip, resnet and orig; labels; `conv_clamp`. float16 layers are computed "
        "in float32; the augmentation is left aside",
        _with_reference("ada_skip_32", "ada_cond_32"),
        _ada,
    ),
    Format(
        "StyleGAN3, T and R (`.pkl`)",
        "generators and discriminator, for everything but training, `contributions` (no skip) "
        "and `noise` (no noise layers)",
        _with_reference("sg3t_32"),
        _stylegan3,
    ),
    Format(
        "rosinality/stylegan2-pytorch (`.pt`)",
        "g_ema, g, d; optimisers are left aside; a missing mean of w is computed",
        (("ros2_32.pt", "ros2_32_ref.npz"),),
        _rosinality2,
    ),
    Format(
        "rosinality/style-based-gan-pytorch (`.model`)",
        "g_running, generator, discriminator. The file has neither noise maps nor a mean of w: "
        "both are made from a fixed seed; stages that were never trained are cut off",
        (("ros1_1024.model", "ros1_ref.npz"),),
        _rosinality1,
    ),
    Format(
        "yuuho/stylegans-pytorch (`.pth`, `.pkl`)",
        "StyleGAN1 and StyleGAN2, as that code computes them: its skip is enlarged bilinearly, so "
        "its pictures differ from the official ones at the border",
        (("yuuho2_32.pth", "yuuho2_32_ref.npz"),),
        _yuuho,
    ),
)


def table(closeness: dict[str, str]) -> str:
    """Draw the table; ``closeness`` has the words for each title."""
    lines = ["| file | what is read | closeness to the original | what is refused, and why |"]
    lines.append("|---|---|---|---|")
    lines += [f"| {r.title} | {r.read} | {closeness[r.title]} | {r.refused} |" for r in FORMATS]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write the table into the page."""
    shared = Path(__file__).parents[3] / "shared" / "fixtures"
    torch.set_num_threads(1)
    found = {row.title: row.exact or in_words(measured(row, shared)) for row in FORMATS}
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    page = f"{before}{BEGIN}\n{table(found)}\n{END}{rest.split(END)[1]}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
