import json
from dataclasses import replace
from pathlib import Path

import pytest

import latentlab
from latentlab.checkpoints.checkpoint import Checkpoint, kind_in_words, licence_note
from latentlab.models import builtin_names
from tests.conftest import (
    make_fastgan,
    make_generator,
    make_progan,
    make_stylegan1,
    make_stylegan3,
    make_stylegan_xl,
)


def checkpoint(kind, **metadata):
    return Checkpoint(kind, "0" * 64, Path("folder/face.pkl"), {}, metadata)


@pytest.mark.parametrize("kind", [
    "stylegan2-ada", "stylegan2-tf", "stylegan1-tf", "progan-tf", "classifier-tf",
    "stylegan3-t-nvidia",
])  # fmt: skip
def test_weights_of_nvidias_systems_are_noted(kind):
    note = licence_note(checkpoint(kind))
    assert note.startswith("The weights come from face.pkl and remain under the licence of whoever")
    assert "NVIDIA's own models of this kind are for non-commercial use only." in note


@pytest.mark.parametrize("kind", [
    "stylegan2-rosinality", "stylegan1-rosinality", "stylegan2-yuuho", "stylegan1-yuuho",
])  # fmt: skip
def test_weights_of_other_projects_may_be_converted_ones(kind):
    assert "what was converted from NVIDIA's models keeps their licence" in licence_note(
        checkpoint(kind)
    )


def test_a_kind_without_an_entry_is_foreign():
    assert kind_in_words("biggan-x") == "biggan-x"
    assert licence_note(checkpoint("biggan-x")).endswith("trained or published them.")


@pytest.mark.parametrize("kind", ["stylegan2-native", "stylegan1-native", "classifier"])
def test_files_of_our_own_carry_what_their_author_says(kind):
    assert licence_note(checkpoint(kind)) is None
    assert licence_note(checkpoint(kind, licence="CC0")) == "CC0"
    assert licence_note(checkpoint(kind, licence=["no", "text"])) is None


def test_bundled_models_are_under_the_projects_licence():
    for name in builtin_names():
        assert licence_note(latentlab.load(name)) == "MIT"
    copied = replace(latentlab.load(builtin_names()[0]), path=Path("elsewhere.safetensors"))
    assert licence_note(copied) is None


@pytest.mark.parametrize("make", [
    make_generator, make_stylegan1, make_stylegan3, make_progan, make_stylegan_xl, make_fastgan,
])  # fmt: skip
def test_every_native_kind_has_words(make, tmp_path):
    latentlab.save(make(), tmp_path / "g.safetensors")
    kind = latentlab.load(tmp_path / "g.safetensors").kind
    assert kind_in_words(kind) != kind


def test_the_note_is_saved_and_survives_further_conversions(data, tmp_path):
    source = data / "ada_cond_32_generator.safetensors"
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    latentlab.save(latentlab.load(source), first)
    latentlab.save(latentlab.load(first), second)
    for path in (first, second):
        assert source.name in latentlab.load(path).metadata["licence"]
        length = int.from_bytes(path.read_bytes()[:8], "little")
        header = json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]
        assert "non-commercial" in json.loads(header["metadata"])["licence"]
    latentlab.save(latentlab.load(source), second, {"licence": "with permission"})
    assert latentlab.load(second).metadata["licence"] == "with permission"


@pytest.mark.parametrize(("metadata", "cutoff"), [
    ({"truncation": {"psi": 0.7, "cutoff": 8}}, 8),
    ({"truncation": {"psi": 0.5, "cutoff": None}}, None),
    ({"truncation": {"cutoff": "8"}}, None),  # nothing that a file says is trusted to be a number
    ({"truncation": {"cutoff": -1}}, None),
    ({"truncation": None}, None),
    ({}, None),
])  # fmt: skip
def test_a_checkpoint_says_how_many_layers_it_truncates(metadata, cutoff):
    assert checkpoint("stylegan1-tf", **metadata).truncation_cutoff == cutoff
