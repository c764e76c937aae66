"""Messages stay short, whatever a file holds."""

import json
import struct

import numpy as np
import pytest
import torch

import latentlab
from latentlab import CheckpointError
from latentlab.checkpoints.assemble import assemble
from latentlab.errors import shown
from tests.checkpoints.systems.tensorflow.test_variables import with_variables
from tests.conftest import make_discriminator


def test_few_names_are_all_there():
    assert shown([]) == ""
    assert shown(["a's b", "c"], "; ") == "a's b; c"
    names = [f"w{i}" for i in range(20)]
    assert shown(names) == ", ".join(names)


def test_many_names_are_counted():
    assert shown([f"w{i}" for i in range(25)]).endswith("w18, w19, and 5 more")
    assert shown(["x"] * 21, "; ").endswith("x; x; and 1 more")


def test_names_stay_on_one_line_and_short():
    assert shown(["a\nb", "\u202e", "\ud800"]) == r"a\nb, \u202e, \ud800"
    text = shown(["x" * 10**6 + " is missing"])
    assert len(text) < 320
    assert text.endswith(" is missing")


def test_names_in_a_file_cannot_break_the_line(tmp_path):
    """Found by generated headers, whose words were repeated as they were."""
    tensor = {"dtype": "F\n32", "shape": [], "data_offsets": [0, 0]}
    for header in (
        {"a": tensor},
        {"__metadata__": {"format": "latentlab", "format_version": "2\nError: all is well"}},
    ):
        raw = json.dumps(header).encode()
        (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw)
        with pytest.raises(CheckpointError) as caught:
            latentlab.load(tmp_path / "x.safetensors")
        assert str(caught.value).isprintable()
        assert "\\n" in str(caught.value)


def test_weights_that_do_not_fit_are_not_listed_without_end():
    d = make_discriminator()
    tensors = {f"stray{i}.{'y' * 1000}": torch.zeros(1) for i in range(1000)}
    with pytest.raises(CheckpointError, match=r"and \d+ more$") as caught:
        assemble(d.config, tensors, "file")
    assert len(str(caught.value)) < 7000
    with pytest.raises(CheckpointError, match=r"; and 980 more$") as caught:
        assemble(d.config, d.state_dict() | tensors, "file")
    assert "stray19" in str(caught.value)
    assert "stray20" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_variables_that_do_not_fit_are_not_listed_without_end(refuse):
    strays = [(f"stray{i}", np.zeros(1, np.float32)) for i in range(1000)]
    found = with_variables(lambda variables: variables + strays, "synthesis")
    refuse(found, CheckpointError, "stray19 is not part", "; and 980 more")
