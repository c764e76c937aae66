"""A card says what a model is, and doubts say what sets models apart."""

from dataclasses import replace

import pytest

import latentlab
from cli.measuring.model_cards import card, doubts, table
from cli.models import Model
from tests.conftest import make_generator, make_progan

A = "builtin:digits-stylegan1"


def model(name=A, generator=None, **metadata):
    opened = latentlab.load(A)
    g = opened.generator if generator is None else generator
    return Model(name, replace(opened, metadata=metadata or opened.metadata), g, "cpu")


def trained(pictures, **more):
    return {"training": {"images": 5000, "data": {"pictures": pictures, **more}}}


def test_a_card_says_what_the_checkpoint_knows():
    name, lines = card(model())
    known = dict(lines)
    assert name == known["file"] == A
    assert known["pictures"] == "32x32, colour"
    assert known["trained on"] == "1,498 pictures"
    assert known["images shown"] == "400,000"
    assert known["latents"] == "z 64, w 64"
    assert known["labels"] == "none"
    assert latentlab.load(A).sha256.startswith(known["SHA-256"])


def test_what_is_not_known_is_said():
    g = make_generator(c_dim=3, channels=1)
    name, lines = card(model("/some/where/x.pkl", g, truncation={"psi": 0.7, "cutoff": 8}))
    known = dict(lines)
    assert name == "x.pkl"
    assert known["trained on"] == known["images shown"] == "not known"
    assert known["labels"] == "3 classes"
    assert known["pictures"].endswith("grey")
    assert known["truncation"] == "psi 0.7 in the first 8 layers"
    assert dict(card(model("p", make_progan(), notes=[]))[1])["latents"].endswith("no w")


@pytest.mark.parametrize("training", [None, [], {"data": 3}, {"data": {"pictures": "many"}}])
def test_metadata_of_another_form_is_not_known(training):
    assert dict(card(model(training=training))[1])["trained on"] == "not known"


def test_the_table_keeps_whole_numbers_where_some_are_missing():
    frame = table([model(), model("p", make_progan(), notes=[])])
    assert frame["w_dim"].isna().tolist() == [False, True]
    assert [str(frame[name].dtype) for name in ("w_dim", "resolution", "images_shown")] == [
        "Int64", "Int64", "Int64",
    ]  # fmt: skip


@pytest.mark.parametrize(("models", "words"), [
    ([model("a"), model("b")], None),
    ([model("a", **trained(5)), model("b", **trained(6))], "trained on different pictures"),
    ([model("a", **trained(5, fingerprint="x")), model("b", **trained(5))], None),
    ([model("a", **trained(5, fingerprint="x")), model("b", **trained(5, fingerprint="y"))],
     "trained on different pictures"),
    ([model("a", notes=[]), model("b"), model("c", notes=[])], "What a and c were trained on"),
])  # fmt: skip
def test_other_training_pictures_are_a_doubt(models, words):
    found = doubts(models)
    assert [words in line for line in found] == ([True] if words else [])
