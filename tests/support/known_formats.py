"""The rows of the table in docs/formats.md.

``python -m tests.support.known_formats`` measures each on the reference data and writes the table.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentlab import Checkpoint
from tests.support.formats import Arrays, Format, Pairs, in_words, measured, tensor

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def _scores(checkpoint: Checkpoint, images: Any, c: Tensor | None = None) -> Tensor:
    assert checkpoint.discriminator is not None
    found: Tensor = checkpoint.discriminator(tensor(images), c)
    return found


def _tensorflow(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    z, cutoff = tensor(ref["z"]), checkpoint.truncation_cutoff
    yield "images", checkpoint.generator(z, None, 0.7, cutoff), tensor(ref["images_psi07"])
    yield "scores", _scores(checkpoint, ref["images_psi07"]), tensor(ref["D_psi07"])
    yield "w", checkpoint.generator.mapping(z), tensor(ref["w"])
    yield "images", checkpoint.generator.synthesis(tensor(ref["w"])), tensor(ref["images_w"])


def _progan(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    yield "images", checkpoint.generator(tensor(ref["z"])), tensor(ref["images_psi07"])
    yield "scores", _scores(checkpoint, ref["images_psi07"]), tensor(ref["D_psi07"])


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
    yield "scores", _scores(checkpoint, ref["img"]), tensor(ref["d_n4"])


def _rosinality2(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, z = checkpoint.generator, tensor(ref["z"])
    yield "w", g.mapping(z)[:, 0], tensor(ref["w"])
    yield "images", g(z), tensor(ref["img_const"])
    yield "images", g(z, None, 0.7), tensor(ref["img_trunc07"])
    yield "images", g.synthesis(tensor(ref["wplus"])), tensor(ref["img_wplus"])
    yield "scores", _scores(checkpoint, ref["img_const"]), tensor(ref["d_n8"])


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


def _genforce(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, raw, z = checkpoint.generator, checkpoint.raw_generator, tensor(ref["z"])
    assert raw is not None
    yield "images", g(z), tensor(ref["img"])
    yield "images", raw(z), tensor(ref["img_generator_not_smooth"])
    yield "scores", _scores(checkpoint, ref["img"]), tensor(ref["d_n4"])
    if g.has_w:
        yield "w", g.mapping(z)[:, 0], tensor(ref["w"])
        yield "images", g(z, None, 0.7, 5), tensor(ref["img_psi07_layers5"])
        yield "images", g.synthesis(tensor(ref["wplus"])), tensor(ref["img_wplus"])


def _huangzh13(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, z = checkpoint.generator, tensor(ref["z"])
    noise = [
        tensor(np.random.RandomState(100 + i).randn(*shape))
        for i, shape in enumerate(g.synthesis.noise_shapes)
    ]
    yield "w", g.mapping(z)[:, 0], tensor(ref["w"])
    yield "images", g(z, noise=noise), tensor(ref["img"])
    yield "images", g(z, noise_mode="none"), tensor(ref["img_zero_noise"])
    yield "images", g(z, None, 0.7, 8, noise=noise), tensor(ref["img_truncation_module"])


def _mmgeneration(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, z = checkpoint.generator, tensor(ref["z"])
    yield "w", g.mapping(z)[:, 0], tensor(ref["w"])
    yield "images", g(z), tensor(ref["img_const_noise"])
    yield "images", g.synthesis(tensor(ref["wplus"])), tensor(ref["img_wplus"])


def _stylegan_xl(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, z = checkpoint.generator, tensor(ref["z"])
    c = tensor(ref["c"]) if ref["c"].size else None
    yield "w", g.mapping(z, c)[:, 0], tensor(ref["w"])
    yield "images", g(z, c), tensor(ref["img"])
    yield "images", g(z, c, 0.7, 4), tensor(ref["img_psi07_cut4"])


def _fastgan(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    c = tensor(ref["c"]) if ref["c"].size else None
    images = checkpoint.generator(tensor(ref["z"]), c, noise_mode="none")
    yield "images", images[0], tensor(ref["img_s0"])
    yield "images", images[1, :, ::2, ::2], tensor(ref["img_s1_every2"])


def _lucidrains(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, noise = checkpoint.generator, [tensor(ref["noise"]).permute(0, 3, 1, 2)]
    ws = g.mapping(tensor(ref["z"]))
    yield "w", ws[:, 0], tensor(ref["w"])
    yield "images", g.synthesis(ws, noise=noise), tensor(ref["img"]) * 2 - 1


def _whole(checkpoint: Checkpoint, ref: Arrays) -> Pairs:
    g, z = checkpoint.generator, tensor(ref["z"])
    c = tensor(ref["c"]) if ref["c"].size else None
    yield "w", g.mapping(z, c), tensor(ref["ws"])
    yield "images", g(z, c, 0.7), tensor(ref["img"])


def _with_reference(*names: str, suffix: str = ".pkl") -> tuple[tuple[str, str], ...]:
    return tuple((f"{name}{suffix}", f"{name}_ref.npz") for name in names)


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
        "StyleGAN1 and StyleGAN2 whose label embedding is not in the file",
    ),
    Format(
        "its intermediate `stylegan1_ndarray.pkl`, `stylegan2_ndarray.pkl`",
        "a pickled dict of TensorFlow variables, also of a network cut at a lower resolution",
        exact="as the TensorFlow file that it was made of, to the last bit",
    ),
    Format(
        "a generator alone: `torch.save(G)` as PTI does, `pickle.dump(G)`, a dict with `G` or "
        "`G_ema`; a state dict in any container, under `module.`, `state_dict`, `models` and the "
        "like",
        "what is there. Networks of other systems than those here are left aside and named",
        exact="as the system's own file, to the last bit",
    ),
    Format(
        "forks of stylegan2-ada-pytorch and StyleGAN3 whose additional arguments change nothing "
        "(stylegan3-fun's `freeze_*`, `square=True`, `init_res=[4, 4]`)",
        "as stylegan2-ada-pytorch and StyleGAN3",
        (("reports/human_square.pkl", "reports/human_square_ref.pt"),),
        _whole,
        'arguments that change the computation, in words: "not square: 4x3", "attention"',
    ),
    Format(
        "PTI's whole generator (`torch.save`)",
        "the tuned generator",
        (("reports/pti_model.pt", "reports/pti_model_ref.pt"),),
        _whole,
    ),
    Format(
        "bare state dicts of stylegan2-ada-pytorch and StyleGAN3",
        "G_ema, G, D, with what shapes do not show from `--assume NAME=VALUE`",
        exact="as the snapshot, to the last bit",
        refused="without `--assume` for what no shape shows: each setting is named",
    ),
    Format(
        "pSp, e4e, ReStyle (`.pt`: `decoder.`, `encoder.`, `latent_avg`)",
        "the generator, and its mean of w from `latent_avg`; encoders for "
        "[`project --encoder`](projector.md#from-an-encoder)",
        exact="the generator's weights to the last bit; codes of encoders to 5e-5 (values up to "
        "18)",
        refused="encoders of sketches and segmentations, of ReStyle, and files that do not say "
        "which encoder they hold, without `--encoder-type`",
    ),
    Format(
        "genforce/genforce StyleGAN2 (`.pth`)",
        "generator_smooth, generator, discriminator, also those of a run under `models`; labels, "
        "also stylegan2ada's",
        _with_reference("more/genforce_stylegan2_32", suffix=".pth"),
        _genforce,
        "its resnet architecture (whose layers overwrite each other in the file), a w for each "
        "layer, noise by channel",
    ),
    Format(
        "genforce/genforce StyleGAN1 (`.pth`)",
        "the same; lod as the file says; `fused_scale` is auto unless assumed",
        _with_reference("more/genforce_stylegan1_32", suffix=".pth"),
        _genforce,
        "networks without a learned constant",
    ),
    Format(
        "genforce/genforce Progressive GAN (`.pth`)",
        "the same; `fused_scale` as shapes show it, or as assumed",
        _with_reference("more/genforce_pggan_32", suffix=".pth"),
        _genforce,
        "assumptions that the file contradicts",
    ),
    Format(
        "huangzh13/StyleGAN.pytorch (`GAN_GEN_*.pth`)",
        "generator, also with labels, or discriminator. Its noise is fresh at every call: maps are "
        "made from a fixed seed; stages that the name says are untrained are left out",
        _with_reference("more/huangzh13_stylegan1_32", suffix=".pth"),
        _huangzh13,
        "discriminators with labels, optimisers",
    ),
    Format(
        "MMGeneration and MMagic StyleGAN2 (`.pth`)",
        "generator_ema, generator, discriminator; the stored mean of w, or that of 4,096 random "
        "ones; RGB unless `--assume channel_order=bgr`",
        _with_reference("more/mmgen_stylegan2_32", suffix=".pth"),
        _mmgeneration,
    ),
    Format(
        "StyleGAN-XL (`.pkl`, by dill), unconditional, conditional, super-resolution",
        "G_ema, G, a centre of truncation for each class",
        _with_reference("more/stylegan_xl_uncond_16", "more/stylegan_xl_superres_32"),
        _stylegan_xl,
        "labels that are not one-hot: classes are rows of a table; bare state dicts, which do not "
        "say how layers resample",
    ),
    Format(
        "Projected GAN, FastGAN and its lite form (`.pkl`)",
        "G_ema, G, with labels or without; it has no W. Noise maps are made from a fixed seed",
        _with_reference("more/projected_gan_fastgan_128", "more/projected_gan_fastgan_lite_128"),
        _fastgan,
        "the discriminator, of other people's networks, is left aside",
    ),
    Format(
        "Projected GAN, StyleGAN2",
        "as stylegan2-ada-pytorch",
        exact="the same network",
    ),
    Format(
        "lucidrains/stylegan2-pytorch (`model_*.pt`)",
        "SE and GE, S and G: an architecture of its own, with images brought from [0,1] to "
        "[-1,1]. Mean of w and noise map are made from a fixed seed; `lr_mlp` is 0.1 unless "
        "assumed; discriminators are left aside",
        (("more/lucidrains_16.pt", "more/lucidrains_16_ref.npz"),),
        _lucidrains,
        "self-attention layers",
    ),
    Format(
        "Anycost GAN, StyleGAN-NADA",
        "as rosinality's; a discriminator of several resolutions is left aside",
        exact="the same network",
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
