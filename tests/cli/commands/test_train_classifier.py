from click.testing import CliRunner

import latentlab
from cli.main import main
from latentlab.training.digit_classifier import accuracy


def test_a_classifier_is_trained_saved_and_judged(tmp_path):
    path = tmp_path / "classifier.safetensors"
    done = CliRunner().invoke(main, ["train-classifier", str(path), "--epochs", "2"])
    assert done.exit_code == 0, done.stderr
    classifier = latentlab.load_classifier(path)
    held_out = accuracy(classifier)
    assert f"{100 * held_out:.2f} %" in done.stderr
    first = "Training a classifier of the bundled digits, 2 epochs, on cpu with 1 thread.\n"
    assert done.stderr.startswith(first)
    assert latentlab.load(path).metadata["held_out_accuracy"] == held_out
    again = CliRunner().invoke(main, ["train-classifier", str(path), "--epochs", "2"])
    assert again.exit_code == 6
