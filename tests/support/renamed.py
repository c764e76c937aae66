"""Networks of ours as the state dicts of other code bases: their names, layouts and constants."""

import torch

from tests.support.foreign import BLUR, BLUR1

BOX = torch.full((1, 1, 2, 2), 0.25)


def _put(found, theirs, weights, ours, *parts):
    found |= {f"{theirs}.{part}": weights[f"{ours}.{part}"] for part in parts}


def _genforce_mapping(g):
    weights, found = g.state_dict(), {"truncation.w_avg": g.w_mean}
    for i in range(g.config.mapping_layers):
        _put(found, f"mapping.dense{i}", weights, f"mapping.fc{i}", "weight", "bias")
    if "mapping.label_weight" in weights:
        found["mapping.label_weight"] = weights["mapping.label_weight"]
    if "mapping.embed.weight" in weights:
        _put(found, "mapping.LabelEmbed", weights, "mapping.embed", "weight", "bias")
    return found


def genforce2_g(g):
    """A StyleGAN2 generator of genforce/genforce, skip or orig."""
    weights, found = g.state_dict(), _genforce_mapping(g)
    found["synthesis.early_layer.const"] = weights["synthesis.b4.const"][None]
    layers = [
        (f"synthesis.b{block.resolution}.conv{half}", half == 0)
        for block in g.synthesis.blocks
        for half in range(2)
        if block.resolution > 4 or half
    ]
    layers = [(ours, f"layer{i}", up) for i, (ours, up) in enumerate(layers)]
    for k, block in enumerate(g.synthesis.blocks):
        if block.torgb is not None:
            layers.append((f"synthesis.b{block.resolution}.torgb", f"output{k}", False))
    for ours, name, up in layers:
        theirs = f"synthesis.{name}"
        _put(found, theirs, weights, ours, "weight", "bias")
        found[f"{theirs}.style.weight"] = weights[f"{ours}.affine.weight"]
        found[f"{theirs}.style.bias"] = weights[f"{ours}.affine.bias"] - 1
        if up:
            found[f"{theirs}.weight"] = weights[f"{ours}.weight"].flip(2, 3)
            found[f"{theirs}.filter.kernel"] = BLUR[None, None] * 4
        if f"{ours}.noise_const" in weights:
            found[f"{theirs}.noise"] = weights[f"{ours}.noise_const"][None, None]
            found[f"{theirs}.noise_strength"] = weights[f"{ours}.noise_strength"]
    if g.config.architecture == "skip":
        found["synthesis.upsample.kernel"] = BLUR[None, None] * 4
    return found


def _genforce_d(d):
    weights, found = d.state_dict(), {}
    sizes = d.resolutions[::-1]
    for i, size in enumerate(sizes):
        if f"b{size}.fromrgb.weight" in weights:
            _put(found, f"input{i}", weights, f"b{size}.fromrgb", "weight", "bias")
        for half in range(2 if size > 4 else 0):
            theirs = f"layer{2 * i + half}"
            _put(found, theirs, weights, f"b{size}.conv{half}", "weight", "bias")
    for i, part in enumerate(("conv", "fc", "out")):
        theirs = f"layer{2 * len(sizes) - 2 + i}"
        _put(found, theirs, weights, f"b4.{part}", "weight", "bias")
    return found


def genforce2_d(d):
    """A StyleGAN2 discriminator of genforce/genforce of any architecture."""
    weights, found = d.state_dict(), _genforce_d(d)
    for i, size in enumerate(d.resolutions[:0:-1]):
        found[f"layer{2 * i + 1}.filter.kernel"] = BLUR[None, None]
        if f"b{size}.skip.weight" in weights:
            _put(found, f"skip_layer{i}", weights, f"b{size}.skip", "weight")
            found[f"skip_layer{i}.filter.kernel"] = BLUR[None, None]
    if d.config.architecture == "skip":
        found["downsample.kernel"] = BLUR[None, None]
    if "mapping.embed.weight" in weights:
        _put(found, "LabelEmbed", weights, "mapping.embed", "weight", "bias")
    return found


def genforce1_g(g):
    """A StyleGAN1 generator of genforce/genforce."""
    weights, found = g.state_dict(), _genforce_mapping(g)
    found["synthesis.lod"] = weights["synthesis.lod"]
    for k, block in enumerate(g.synthesis.blocks):
        size = block.resolution
        _put(found, f"synthesis.output{k}", weights, f"synthesis.b{size}.torgb", "weight", "bias")
        for half in range(2):
            ours, theirs = f"synthesis.b{size}.layer{half}", f"synthesis.layer{2 * k + half}"
            _put(found, theirs, weights, ours, "bias")
            if k or half:
                _put(found, theirs, weights, ours, "weight")
            else:
                found[f"{theirs}.const"] = weights[f"{ours}.const"][None]
            if k and not half:
                found[f"{theirs}.blur.kernel"] = BLUR1.repeat(len(found[f"{theirs}.bias"]), 1, 1, 1)
            _put(found, f"{theirs}.style", weights, f"{ours}.affine", "weight", "bias")
            if f"{ours}.noise_const" in weights:
                found[f"{theirs}.apply_noise.noise"] = weights[f"{ours}.noise_const"][None, None]
                found[f"{theirs}.apply_noise.weight"] = weights[f"{ours}.noise_strength"]
    return found


def genforce1_d(d):
    """A StyleGAN1 discriminator of genforce/genforce."""
    found = _genforce_d(d) | {"lod": d.lod}
    for i in range(len(d.resolutions) - 1):
        maps = found[f"layer{2 * i + 1}.weight"].shape[1]
        found[f"layer{2 * i + 1}.blur.kernel"] = BLUR1.repeat(maps, 1, 1, 1)
    return found


def genforce_pggan_g(g):
    """A Progressive GAN of genforce/genforce, whose upsampling may be fused."""
    weights = g.state_dict()
    found = {"lod": weights["synthesis.lod"]}
    for k, block in enumerate(g.synthesis.blocks):
        ours = f"synthesis.b{block.resolution}"
        _put(found, f"output{k}", weights, f"{ours}.torgb", "weight", "bias")
        for half in range(2):
            theirs = f"layer{2 * k + half}"
            _put(found, theirs, weights, f"{ours}.layer{half}", "weight", "bias")
        if g.config.fused_from and k:
            found[f"layer{2 * k}.weight"] = found[f"layer{2 * k}.weight"].transpose(0, 1)
    dense = found["layer0.weight"].unflatten(0, (-1, 4, 4))  # [C,4,4,z]
    return found | {"layer0.weight": dense.permute(0, 3, 1, 2).flip(2, 3)}


def genforce_pggan_d(d, labels=0):
    """A discriminator of genforce/genforce's Progressive GAN, with outputs for labels."""
    found = _genforce_d(d) | {"lod": d.lod}
    for part in ("weight", "bias"):
        name = f"layer{2 * len(d.resolutions)}.{part}"
        found[name] = torch.cat([found[name], *([found[name] + 1] * labels)])
    return found


def huangzh13_g(g):
    """A generator of huangzh13/StyleGAN.pytorch."""
    weights, found = g.state_dict(), {}
    found["truncation.avg_latent"] = g.w_mean
    for i in range(g.config.mapping_layers):
        _put(found, f"g_mapping.map.dense{i}", weights, f"mapping.fc{i}", "weight", "bias")
    if g.c_dim:
        found["class_embedding.weight"] = weights["mapping.label_weight"]
    for k, block in enumerate(g.synthesis.blocks):
        ours = f"synthesis.b{block.resolution}"
        _put(found, f"g_synthesis.to_rgb.{k}", weights, f"{ours}.torgb", "weight", "bias")
        theirs = f"g_synthesis.{f'blocks.{k - 1}' if k else 'init_block'}"
        names = ("conv0_up", "conv1") if k else (None, "conv")
        for half, name in enumerate(names):
            layer = f"{ours}.layer{half}"
            if name is None:
                found[f"{theirs}.bias"] = weights[f"{layer}.bias"]
                found[f"{theirs}.const"] = weights[f"{layer}.const"][None]
            else:
                _put(found, f"{theirs}.{name}", weights, layer, "weight", "bias")
            epilogue = f"{theirs}.epi{half + 1}"
            _put(found, f"{epilogue}.style_mod.lin", weights, f"{layer}.affine", "weight", "bias")
            if g.config.use_noise:
                found[f"{epilogue}.top_epi.noise.weight"] = weights[f"{layer}.noise_strength"]
        if k and g.config.blur_filter:
            found[f"{theirs}.conv0_up.intermediate.kernel"] = BLUR1[None, None]
    return found


def huangzh13_d(d):
    """A discriminator of huangzh13/StyleGAN.pytorch."""
    weights, found = d.state_dict(), {}
    for i, size in enumerate(d.resolutions[::-1]):
        _put(found, f"from_rgb.{i}", weights, f"b{size}.fromrgb", "weight", "bias")
        if size > 4:
            for theirs, ours in (("conv0", "conv0"), ("conv1_down", "conv1")):
                name = f"blocks.{i}.{theirs}"
                _put(found, name, weights, f"b{size}.{ours}", "weight", "bias")
            found[f"blocks.{i}.conv1_down.downscale.blur.kernel"] = BOX
            if d.config.blur_filter:
                found[f"blocks.{i}.blur.kernel"] = BLUR1[None, None]
    for theirs, ours in (("conv", "conv"), ("dense0", "fc"), ("dense1", "out")):
        _put(found, f"final_block.{theirs}", weights, f"b4.{ours}", "weight", "bias")
    return found


def _mm_linear(found, theirs, weights, ours):
    found[f"{theirs}.linear.weight_orig"] = weights[f"{ours}.weight"]
    found[f"{theirs}.bias"] = weights[f"{ours}.bias"]


def mmgeneration_g(g, w_avg=False):
    """A generator of MMGeneration, or of MMagic with labels or a stored mean of w."""
    weights, found = g.state_dict(), {}
    start = 0 if g.c_dim else 1
    for i in range(g.config.mapping_layers):
        _mm_linear(found, f"style_mapping.{i + start}", weights, f"mapping.fc{i}")
    if g.c_dim:
        _mm_linear(found, "embed", weights, "mapping.embed")
    if w_avg:
        found["w_avg"] = g.w_mean
    found["constant_input.input"] = weights["synthesis.b4.const"][None]
    number = 0
    for k, block in enumerate(g.synthesis.blocks):
        rgb = f"to_rgbs.{k - 1}" if k else "to_rgb1"
        layers = [(f"convs.{2 * k - 2}", "conv0"), (f"convs.{2 * k - 1}", "conv1")]
        layers = layers if k else [("conv1", "conv1")]
        for theirs, name in [*layers, (rgb, "torgb")]:
            ours = f"synthesis.b{block.resolution}.{name}"
            found[f"{theirs}.conv.weight_orig"] = weights[f"{ours}.weight"][None]
            _mm_linear(found, f"{theirs}.conv.style_modulation", weights, f"{ours}.affine")
            if name == "torgb":
                found[f"{theirs}.bias"] = weights[f"{ours}.bias"][None, :, None, None]
                continue
            found[f"{theirs}.activate.bias"] = weights[f"{ours}.bias"]
            found[f"{theirs}.noise_injector.weight"] = weights[f"{ours}.noise_strength"][None]
            noise = weights[f"{ours}.noise_const"]
            found[f"injected_noise_{number}"] = noise[None, None]
            number += 1
        if k:
            found[f"convs.{2 * k - 2}.conv.blur.kernel"] = BLUR * 4
            found[f"{rgb}.upsample.kernel"] = BLUR * 4
    return found


def mmgeneration_d(d):
    """A discriminator of MMGeneration, or of MMagic with labels."""
    weights, found = d.state_dict(), {}

    def conv(theirs, ours, index):
        found[f"{theirs}.{index}.conv.weight_orig"] = weights[f"{ours}.weight"]
        if f"{ours}.bias" in weights:
            found[f"{theirs}.{index + 1}.bias"] = weights[f"{ours}.bias"]

    conv("convs.0", f"b{d.resolutions[-1]}.fromrgb", 0)
    for i, size in enumerate(d.resolutions[:0:-1], start=1):
        conv(f"convs.{i}.conv1", f"b{size}.conv0", 0)
        conv(f"convs.{i}.conv2", f"b{size}.conv1", 1)
        conv(f"convs.{i}.skip", f"b{size}.skip", 1)
        found |= {f"convs.{i}.{part}.0.kernel": BLUR for part in ("conv2", "skip")}
    conv("final_conv", "b4.conv", 0)
    _mm_linear(found, "final_linear.0", weights, "b4.fc")
    _mm_linear(found, "final_linear.1", weights, "b4.out")
    return found | {name: weights[name] for name in weights if name.startswith("mapping.")}
