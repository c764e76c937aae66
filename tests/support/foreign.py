"""State dicts as other code bases name and shape them, with random weights, small or large."""

import itertools
import math

import torch

BLUR = torch.tensor([1.0, 3.0, 3.0, 1.0])
BLUR = torch.outer(BLUR, BLUR) / 64
BLUR1 = torch.tensor([1.0, 2.0, 1.0])
BLUR1 = torch.outer(BLUR1, BLUR1) / 16


def filled(shapes, seed=0):
    """Tensors of the given shapes, none of which is zero."""
    rng = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=rng) * 0.2 + 0.1 for name, shape in shapes.items()}


def rosinality_g(maps=(8, 8, 6), w_dim=5, layers=2, seed=0):
    """A generator of rosinality/stylegan2-pytorch, with feature maps at 4x4, 8x8, ..."""
    shapes = {"input.input": (1, maps[0], 4, 4), "noises.noise_0": (1, 1, 4, 4)}
    for i in range(1, layers + 1):
        shapes |= {f"style.{i}.weight": (w_dim, w_dim), f"style.{i}.bias": (w_dim,)}
    places = [("conv1", maps[0], maps[0])]
    for i, (before, here) in enumerate(itertools.pairwise(maps)):
        places += [(f"convs.{2 * i}", before, here), (f"convs.{2 * i + 1}", here, here)]
        for k in (2 * i + 1, 2 * i + 2):
            shapes[f"noises.noise_{k}"] = (1, 1, 8 * 2**i, 8 * 2**i)
    for name, before, here in places:
        shapes |= {f"{name}.conv.weight": (1, here, before, 3, 3)}
        shapes |= {f"{name}.conv.modulation.weight": (before, w_dim)}
        shapes |= {f"{name}.conv.modulation.bias": (before,)}
        shapes |= {f"{name}.noise.weight": (1,), f"{name}.activate.bias": (here,)}
    for i, here in enumerate(maps):
        name = f"to_rgbs.{i - 1}" if i else "to_rgb1"
        shapes |= {f"{name}.bias": (1, 3, 1, 1), f"{name}.conv.weight": (1, 3, here, 1, 1)}
        shapes |= {f"{name}.conv.modulation.weight": (here, w_dim)}
        shapes |= {f"{name}.conv.modulation.bias": (here,)}
    found = filled(shapes, seed)
    for i in range(len(maps) - 1):
        found[f"convs.{2 * i}.conv.blur.kernel"] = BLUR * 4
        found[f"to_rgbs.{i}.upsample.kernel"] = BLUR * 4
    return found


def rosinality_d(maps=(8, 8, 6), seed=1):
    """A discriminator of rosinality/stylegan2-pytorch."""
    down = maps[::-1]
    shapes = {"convs.0.0.weight": (down[0], 3, 1, 1), "convs.0.1.bias": (down[0],)}
    for i, (here, after) in enumerate(itertools.pairwise(down), start=1):
        shapes |= {f"convs.{i}.conv1.0.weight": (here, here, 3, 3)}
        shapes |= {f"convs.{i}.conv1.1.bias": (here,), f"convs.{i}.conv2.2.bias": (after,)}
        shapes |= {f"convs.{i}.conv2.1.weight": (after, here, 3, 3)}
        shapes |= {f"convs.{i}.skip.1.weight": (after, here, 1, 1)}
    last = down[-1]
    shapes |= {"final_conv.0.weight": (last, last + 1, 3, 3), "final_conv.1.bias": (last,)}
    shapes |= {"final_linear.0.weight": (last, last * 16), "final_linear.0.bias": (last,)}
    shapes |= {"final_linear.1.weight": (1, last), "final_linear.1.bias": (1,)}
    found = filled(shapes, seed)
    for i in range(1, len(maps)):
        found[f"convs.{i}.conv2.0.kernel"] = BLUR
        found[f"convs.{i}.skip.0.kernel"] = BLUR
    return found


def rosinality1_g(maps=(8, 8, 6, 4), w_dim=5, layers=2, trained=None, fused_from=5, seed=0):
    """A generator of rosinality/style-based-gan-pytorch; later stages than ``trained`` are new."""
    shapes = {}
    for i in range(layers):
        shapes |= {f"style.{2 * i + 1}.linear.weight_orig": (w_dim, w_dim)}
        shapes |= {f"style.{2 * i + 1}.linear.bias": (w_dim,)}
    for i, here in enumerate(maps):
        before, block = maps[max(i - 1, 0)], f"generator.progression.{i}"
        if i == 0:
            shapes |= {f"{block}.conv1.input": (1, here, 4, 4)}
        elif i < fused_from:
            shapes |= {f"{block}.conv1.1.conv.weight_orig": (here, before, 3, 3)}
            shapes |= {f"{block}.conv1.1.conv.bias": (here,)}
        else:
            shapes |= {f"{block}.conv1.0.weight": (before, here, 3, 3)}
            shapes |= {f"{block}.conv1.0.bias": (here,)}
        shapes |= {f"{block}.conv2.conv.weight_orig": (here, here, 3, 3)}
        shapes |= {f"{block}.conv2.conv.bias": (here,)}
        for k in (1, 2):
            shapes |= {f"{block}.noise{k}.weight_orig": (1, here, 1, 1)}
            shapes |= {f"{block}.adain{k}.style.linear.weight_orig": (2 * here, w_dim)}
            shapes |= {f"{block}.adain{k}.style.linear.bias": (2 * here,)}
        shapes |= {f"generator.to_rgb.{i}.conv.weight_orig": (3, here, 1, 1)}
        shapes |= {f"generator.to_rgb.{i}.conv.bias": (3,)}
    found = filled(shapes, seed)
    for i in range(1, len(maps)):
        name = f"generator.progression.{i}.conv1.{2 if i < fused_from else 1}"
        found |= {f"{name}.{w}": BLUR1.repeat(maps[i], 1, 1, 1) for w in ("weight", "weight_flip")}
    untrained = [f".{i}." for i in range(len(maps) if trained is None else trained, len(maps))]
    for name, tensor in found.items():
        if any(part in name for part in untrained) and name.startswith("generator."):
            if ".adain" in name and name.endswith("bias"):
                half = len(tensor) // 2
                tensor.copy_(torch.cat([torch.ones(half), torch.zeros(half)]))
            elif name.endswith("bias") or ".noise" in name:
                tensor.zero_()
    return found


def rosinality1_d(maps=(8, 8, 6, 4), trained=None, activated=True, fused_from=5, seed=1):
    """A discriminator of rosinality/style-based-gan-pytorch; its lists run downwards."""
    count, shapes, blurs = len(maps), {}, {}
    for i, here in enumerate(maps):
        index, after = count - 1 - i, maps[max(i - 1, 0)]
        block = f"progression.{index}"
        rgb = f"from_rgb.{index}{'.0' if activated else ''}.conv"
        shapes |= {f"{rgb}.weight_orig": (here, 3, 1, 1), f"{rgb}.bias": (here,)}
        shapes |= {f"{block}.conv1.0.conv.weight_orig": (after, here + (i == 0), 3, 3)}
        shapes |= {f"{block}.conv1.0.conv.bias": (after,)}
        if i == 0:
            shapes |= {f"{block}.conv2.0.conv.weight_orig": (here, here, 4, 4)}
            shapes |= {f"{block}.conv2.0.conv.bias": (here,)}
            continue
        blurs[f"{block}.conv2.0"] = after
        conv = f"{block}.conv2.1" + (".conv" if i < fused_from else "")
        weight = "weight_orig" if i < fused_from else "weight"
        shapes |= {f"{conv}.{weight}": (after, after, 3, 3), f"{conv}.bias": (after,)}
    shapes |= {"linear.linear.weight_orig": (1, maps[0]), "linear.linear.bias": (1,)}
    found = filled(shapes, seed)
    for name, channels in blurs.items():
        found |= {f"{name}.{w}": BLUR1.repeat(channels, 1, 1, 1) for w in ("weight", "weight_flip")}
    for i in range(count if trained is None else trained, count):
        for name, tensor in found.items():
            if name.startswith(f"progression.{count - 1 - i}.") and name.endswith("bias"):
                tensor.zero_()
    return found


def yuuho2_g(maps=(8, 8, 6), w_dim=5, layers=2, seed=0):
    """A StyleGAN2 generator of yuuho/stylegans-pytorch."""
    shapes = {"const_input": (1, maps[0], 4, 4), "style_mixing_rate": (1,)}
    for i in range(layers):
        shapes |= {f"mapping.{4 * i + 1}.weight": (w_dim, w_dim)}
        shapes |= {f"mapping.{4 * i + 2}.bias": (w_dim,)}
    shapes |= {f"mapping.{4 * layers + 1}.avg_style": (w_dim,)}
    for j in range(2 * len(maps) - 1):
        stage = (j + 1) // 2
        size, up, here = 4 * 2**stage, j % 2 == 1, maps[stage]
        before = maps[stage - 1] if up else here
        noise = 2 if up else 1
        shapes |= {f"blocks.{j}.0.weight": (before, here, 3, 3) if up else (here, here, 3, 3)}
        shapes |= {f"blocks.{j}.0.fc.weight": (before, w_dim), f"blocks.{j}.0.bias.bias": (before,)}
        shapes |= {f"blocks.{j}.{noise}.noise_scaler": (1,)}
        shapes |= {f"blocks.{j}.{noise}.const_noise": (1, 1, size, size)}
        shapes |= {f"blocks.{j}.{noise + 1}.bias": (here,)}
    for k, here in enumerate(maps):
        shapes |= {f"toRGBs.{k}.0.weight": (3, here, 1, 1), f"toRGBs.{k}.1.bias": (3,)}
        shapes |= {f"toRGBs.{k}.0.fc.weight": (here, w_dim), f"toRGBs.{k}.0.bias.bias": (here,)}
    return filled(shapes, seed)


# yuuho's converter, as facts: how each kind of TensorFlow weight is turned.
_TURNS = {
    "conv": lambda w: w.permute(3, 2, 0, 1),  # [kh,kw,I,O] -> [O,I,kh,kw]
    "fused": lambda w: w.permute(2, 3, 0, 1),  # [kh,kw,I,O] -> [I,O,kh,kw]
    "dense": lambda w: w.t(),
    "same": lambda w: w,
    "one": lambda w: w.reshape(1),
}


def yuuho1_from_tensorflow(variables, resolution):
    """A StyleGAN1 state dict out of TensorFlow variables, as yuuho's converter makes it."""
    top = int(math.log2(resolution))
    table = {
        "const": ("same", "G_synthesis/4x4/Const/const"),
        "image_mixing_rate": ("one", "G_synthesis/lod"),
        "style_mixing_rate": ("one", "lod"),
        "mapping.33.avg_style": ("same", "dlatent_avg"),
    }
    for i in range(8):
        table[f"mapping.{4 * i + 1}.weight"] = ("dense", f"G_mapping/Dense{i}/weight")
        table[f"mapping.{4 * i + 3}.bias"] = ("same", f"G_mapping/Dense{i}/bias")
    for j in range(2 * top - 2):
        size = 4 * 2 ** (j // 2)
        fused = j % 2 == 0 and size >= 128
        layer = ["Conv0_up", "Conv1"][j % 2] if size > 4 else ["Const", "Conv"][j]
        place = f"G_synthesis/{size}x{size}/{layer}"
        # Where noise and bias are, after [up], conv, [blur], amp.
        noise = 0 if j == 0 else 2 if j % 2 else 3 if fused else 4
        if j > 0:
            weight = f"blocks.{j}.{1 if noise == 4 else 0}.weight"
            table[weight] = ("fused" if fused else "conv", f"{place}/weight")
        table[f"blocks.{j}.{noise}.noise_scaler"] = ("same", f"{place}/Noise/weight")
        table[f"blocks.{j}.{noise}.const_noise"] = ("same", f"G_synthesis/noise{j}")
        table[f"blocks.{j}.{noise + 1}.bias"] = ("same", f"{place}/bias")
        table[f"adains.{j}.0.fc.weight"] = ("dense", f"{place}/StyleMod/weight")
        table[f"adains.{j}.0.bias.bias"] = ("same", f"{place}/StyleMod/bias")
    for k in range(top - 1):
        place = f"G_synthesis/ToRGB_lod{top - 2 - k}"
        table[f"toRGBs.{k}.0.weight"] = ("conv", f"{place}/weight")
        table[f"toRGBs.{k}.1.bias"] = ("same", f"{place}/bias")
    return {name: _TURNS[kind](variables[theirs]) for name, (kind, theirs) in table.items()}
