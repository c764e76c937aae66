"""A checkpoint in the words of ``latentlab info``: what a person wants to know first."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from torch import nn

from cli.text import colours_in_words, counted, listed, one_line
from latentlab import Checkpoint, Generator
from latentlab.checkpoints.checkpoint import kind_in_words, licence_note
from latentlab.checkpoints.precision import HALF
from latentlab.networks.classifier import Classifier
from latentlab.networks.stylegan_xl_config import LayerRow

_WIDTH = 80  # columns
_NAMES = 12  # columns of the names, so that a SHA-256 fits beside them
_MOST_TEXT = 400  # characters of a fact
_MOST_FACTS = 100  # of the metadata
_DEEPEST = 6  # lists within lists
_ROLES = {"G_ema": "averaged generator", "G": "generator", "D": "discriminator"}
# Settings that are told apart from the others.
_TOLD = {"resolution", "channels", "c_dim", "z_dim", "w_dim", "architecture", "classes"}
# Metadata that is told apart from the rest, or says what the settings say.
_PLACED = {"licence", "truncation", "notes", "ignored", "source", "static_kwargs"}


def describe(opened: Checkpoint, name: str) -> str:
    """Return lines about a checkpoint that was opened as ``name``; 80 columns, no line longer."""
    lines = [one_line(name)]
    for title, text in _facts(opened):
        body = textwrap.wrap(text, _WIDTH - _NAMES - 4) or [""]
        names = [title, *[""] * (len(body) - 1)]
        if len(title) > _NAMES:
            names, body = [title, *[""] * len(body)], ["", *body]
        lines += [f"  {a:<{_NAMES}}  {b}" for a, b in zip(names, body, strict=True)]
    return "\n".join(line.rstrip() for line in lines)


def _facts(opened: Checkpoint) -> Iterator[tuple[str, str]]:
    yield "format", f"{kind_in_words(opened.kind)} ({_container(opened)})"
    if any(name in HALF for name in opened.stored_as):
        yield "weights", f"stored in {listed(opened.stored_as)}; opened as float32"
    yield from _subject(opened)
    for i, (name, network) in enumerate(opened.networks.items()):
        yield "networks" * (i == 0), f"{name}: {_role(name, network)}"
    for i, text in enumerate(_settings(opened.networks)):
        yield "settings" * (i == 0), text
    yield from _placed(opened.metadata)
    others = [(key, value) for key, value in opened.metadata.items() if key not in _PLACED]
    for key, value in others[:_MOST_FACTS]:
        yield one_line(str(key))[:40].replace("_", " "), _cut(_short(value))
    if len(others) > _MOST_FACTS:
        yield "more", f"{counted(len(others) - _MOST_FACTS, 'fact')} (all with --json)"
    if (licence := licence_note(opened)) is not None:
        yield "licence", _cut(one_line(licence))
    yield "sha256", opened.sha256


def _container(opened: Checkpoint) -> str:
    with opened.path.open("rb") as file:
        start = file.read(9)
    if start[8:] == b"{":
        return "safetensors"
    return "zip archive of torch.save" if start.startswith(b"PK") else "pickle"


def _subject(opened: Checkpoint) -> Iterator[tuple[str, str]]:
    """Say what the networks take and give."""
    config = opened.config
    colour = colours_in_words(config.channels)
    yield "images", f"{config.resolution}x{config.resolution}, {colour}"
    if (classes := getattr(config, "classes", None)) is not None:
        yield "classes", _cut(", ".join(map(_short, classes)))
    if hasattr(config, "z_dim"):
        layers = counted(getattr(config, "num_ws", 0), "layer")
        w = f"w {config.w_dim} in {layers}" if hasattr(config, "w_dim") else "no w"
        yield "latents", f"z {config.z_dim}, {w}"
    if getattr(config, "c_dim", 0):
        yield "labels", f"{config.c_dim} classes: --class 0 to {config.c_dim - 1}"
    generator = opened.networks.get("G_ema", opened.networks.get("G"))
    if isinstance(generator, Generator) and generator.synthesis.growing:
        grown, _ = generator.synthesis.stage()
        if lod := float(generator.synthesis.lod):
            yield "growth", f"lod {lod:g}, grown to {grown}x{grown}; see generate --lod"


def _role(name: str, network: nn.Module) -> str:
    """Say what a network is, and how large."""
    architecture = getattr(network.config, "architecture", None)
    if not getattr(network.config, "styles", True):  # of StyleGAN1: w enters the first layer alone
        architecture = "traditional"
    count = sum(weight.numel() for weight in network.parameters())
    parts = (_ROLES.get(name), architecture and f"{architecture} architecture")
    return ", ".join([*filter(None, parts), f"{count:,} parameters"])


def _settings(networks: Mapping[str, nn.Module]) -> Iterator[str]:
    """List settings that are not as published; networks with the same ones share a line."""
    lines: dict[str, list[str]] = {}
    for name, network in networks.items():
        config: Any = network.config
        changed = [
            f"{item.name} {_short(getattr(config, item.name))}"
            for item in fields(config)
            if item.name not in _TOLD and getattr(config, item.name) != item.default
        ]
        if changed or not isinstance(network, Classifier):
            lines.setdefault(", ".join(changed), []).append(name)
    for text, names in lines.items():
        yield f"{', '.join(names)}: {text or 'as published'}"


def _placed(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the facts whose meaning is known; those of another type are left to --json."""
    truncation = metadata.get("truncation")
    if isinstance(truncation, dict):
        cutoff = truncation.get("cutoff")
        where = "all layers" if cutoff is None else f"the first {_short(cutoff)} layers"
        psi = truncation.get("psi")
        if psi in (None, 1):
            yield "truncation", f"its own system truncates only when told to, and then {where}"
        else:
            yield "truncation", f"its own system takes psi {_short(psi)} in {where} by default"
    notes = metadata.get("notes")
    for i, note in enumerate(notes if isinstance(notes, list) else []):
        yield "notes" * (i == 0), _cut(_short(note))
    ignored = metadata.get("ignored")
    if isinstance(ignored, list) and ignored:
        yield "left aside", _cut(", ".join(map(_short, ignored)))
    source = metadata.get("source")
    if isinstance(source, dict):
        kind, file = _short(source.get("kind")), _short(source.get("file"))
        yield "converted", f"from {file[:100]}: {kind_in_words(kind)[:100]}"
        yield "", f"of SHA-256 {_short(source.get('sha256'))[:64]}"


def _short(value: Any, depth: int = 0) -> str:
    """Write any plain value; of settings inside others their name, or what they are, bracketed."""
    if isinstance(value, dict) and depth == 1 and isinstance(value.get("name"), str):
        return one_line(value["name"])
    if isinstance(value, LayerRow):
        value = value.name
    if isinstance(value, dict):
        if depth > 1:
            return "..."
        inner = ", ".join(f"{one_line(str(k))} {_short(v, depth + 1)}" for k, v in value.items())
        return f"({inner})" if depth else inner
    if isinstance(value, list | tuple):
        depth = max(depth + 1, 2)
        inner = " ".join(_short(item, depth) for item in value) if depth <= _DEEPEST else "..."
        return f"({inner})"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return f"{value:g}" if isinstance(value, float) else one_line(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}... (all with --json)"
