import torch

import latentlab
from latentlab.training.digit_classifier import ClassifierSettings, accuracy, train_classifier


def test_the_bundled_classifier_reads_held_out_digits():
    classifier = latentlab.load_classifier("builtin:digits-classifier")
    assert accuracy(classifier) > 0.98


def test_a_short_training_learns_and_repeats():
    losses = []
    settings = ClassifierSettings(epochs=3)
    first = train_classifier(settings, lambda _, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
    assert accuracy(first) > 0.85
    again = train_classifier(settings)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not first.training
