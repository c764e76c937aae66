"""Cautions of several models: each kind once, after what it is about, the gravest first."""

import pytest

from cli.reports.cautions import Doubt, Weight, in_few_sentences, in_short

BOTH = ("a", "b")


def flattered(space, model, percent, weight=Weight.ASIDE):
    measure = f"separability in {space}"
    text = f"Planes look too good: {measure} is about {percent} % too low."
    return Doubt(text, measure, (model,), weight)


def failed(count, space, measure, model):
    planes = "1 SVM" if count == 1 else f"{count} SVMs"
    return Doubt(f"{planes} in {space} did not converge.", f"{measure} in {space}", (model,))


def test_one_kind_is_said_once_with_the_spaces_and_the_range_of_its_numbers():
    doubts = [flattered(space, model, percent) for model, space, percent in (
        ("a", "Z", "7.5"), ("a", "W", "11"), ("b", "Z", "8.1"), ("b", "W", "12"),
    )]  # fmt: skip
    assert in_few_sentences(doubts, BOTH) == [
        "Separability in Z and W: Planes look too good: separability in Z and W is about "
        "7.5 to 12 % too low."
    ]


def test_numbers_with_a_unit_are_a_range_too():
    doubts = [Doubt(f"Scales differ {ratio}-fold.", "separability in W", (model,))
              for model, ratio in (("a", "1,072"), ("b", "100"))]  # fmt: skip
    assert in_few_sentences(doubts, BOTH) == ["Separability in W: Scales differ 100 to 1,072-fold."]


def test_planes_and_folds_that_did_not_converge_are_one_caution():
    doubts = [failed(count, space, measure, model) for model in BOTH for count, space, measure in (
        (1, "Z", "separability"), (10, "W", "separability"), (10, "W", "cross-fitted separability"),
    )]  # fmt: skip
    assert in_few_sentences(doubts, BOTH) == [
        "Separability in Z and W, cross-fitted separability in W: 1 to 10 SVMs in Z and W did not "
        "converge."
    ]


def test_measures_of_the_same_models_stand_together_whatever_the_order():
    doubts = [Doubt("Other distances.", measure, (model,))
              for measure, order in (("FID", "ac"), ("KID", "ca")) for model in order]  # fmt: skip
    assert in_few_sentences(doubts, "abc") == ["FID, KID of a, c: Other distances."]


def test_models_are_named_where_not_all_are_meant():
    doubts = [Doubt("Few pictures: 5.", "FID", ("a",)), Doubt("Few pictures: 7.", "FID", ("c",)),
              Doubt("Few pictures: 7.", "KID", ("b",))]  # fmt: skip
    assert in_few_sentences(doubts, "abc") == ["FID of a, c; KID of b: Few pictures: 5 to 7."]


def test_the_gravest_come_first_and_what_decides_nothing_last_in_one():
    doubts = [
        flattered("Z", "a", "7.5"), Doubt("Beside.", "separability in W", ("a",), Weight.ASIDE),
        Doubt("Rough.", "FID", BOTH), Doubt("Other pictures.", "", BOTH, Weight.MODELS),
        Doubt("Different distances.", "path length", BOTH, Weight.NOT_RANKED, alike=False),
        Doubt("No score.", "separability in Z", ("b",), Weight.VOID),
    ]  # fmt: skip
    assert in_few_sentences(doubts, BOTH, "which decides nothing") == [
        "Separability in Z of b: No score.",
        "Path length: Different distances.",
        "Other pictures.",
        "FID: Rough.",
        "Separability in Z of a, which decides nothing: Planes look too good: separability in Z is "
        "about 7.5 % too low. Separability in W of a, which decides nothing: Beside.",
    ]


def test_sentences_about_the_same_stand_together():
    doubts = [Doubt("Few pictures.", "droplets", BOTH), Doubt("Small ones.", "droplets", BOTH)]
    assert in_few_sentences(doubts, BOTH) == ["Droplets: Few pictures. Small ones."]


@pytest.mark.parametrize(("texts", "count"), [
    (("Of 3 pictures.", "Of 1,200 pictures."), 1),
    (("Of 1 picture.", "Of 4 pictures."), 1),
    (("Only one class (3).", "Only one class (5)."), 2),  # names, which are no numbers to join
    (("Few pictures.", "Few paths."), 2),
])  # fmt: skip
def test_only_sentences_of_one_kind_are_joined(texts, count):
    lines = in_few_sentences([Doubt(text, "FID", ("a",)) for text in texts], "a")
    assert len(lines) == 1  # about the same
    assert lines[0].count("Of ") + lines[0].count("Only ") + lines[0].count("Few ") == count


def test_ranges_are_of_numbers_and_reasons_of_pairs_stay_as_they_are():
    many = [Doubt(f"Of {n} pictures.", "FID", ("a",)) for n in ("1,200", "30", "200")]
    assert in_few_sentences(many, "a") == ["FID: Of 30 to 1,200 pictures."]
    pairs = [Doubt(f"Steps: 1 and {n}.", "FID", BOTH, alike=False) for n in (2, 3)]
    assert in_few_sentences(pairs, BOTH) == ["FID: Steps: 1 and 2. Steps: 1 and 3."]


def test_a_head_that_the_sentence_begins_with_is_not_said_twice():
    text = "FID falls with the number of pictures."
    assert in_few_sentences([Doubt(text, "FID", ("a",))], "a") == [text]


def test_a_sentence_that_names_several_of_its_measures_stays_whole():
    text = "Precision and recall depend on the number of pictures, here {}."
    doubts = [Doubt(text.format(n), measure, (model,)) for model, n in (("a", 5), ("b", 7))
              for measure in ("precision", "recall", "F-score")]  # fmt: skip
    assert in_few_sentences(doubts[:3], "a") == [f"Precision, recall, F-score: {doubts[0].text}"]
    assert in_few_sentences(doubts, BOTH) == [
        f"Precision, recall, F-score: {text.format('5 to 7')}"
    ]


@pytest.mark.parametrize(("measures", "told"), [
    (("separability in Z", "FID", "separability in W", "cross-fitted separability in W"),
     "separability in Z and W, FID, cross-fitted separability in W"),
    (("path length (ppl_zfull)", "path length (ppl_zend)", "attribution (auc)"),
     "path length (ppl_zfull, ppl_zend), attribution (auc)"),
    (("FID", "FID"), "FID"),
])  # fmt: skip
def test_what_measures_have_in_common_is_said_once(measures, told):
    assert in_short(measures) == told
