import click
import pytest
import torch
from click.testing import CliRunner

from cli.main import main
from cli.models import resolve_device
from cli.options.values import file_name, float_list, number_list


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_each_process_of_torchrun_takes_a_gpu_of_its_own(name, monkeypatch):
    def empty(_, device):
        if device == "cuda:4":
            raise RuntimeError("invalid device ordinal")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", empty)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert resolve_device(name) == "cuda:3"
    monkeypatch.setenv("LOCAL_RANK", "4")
    with pytest.raises(click.BadParameter, match="'cuda:4' is not a device of this machine"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["attribution", "compare", "ppl", "project", "tune"])
def test_each_command_with_a_distance_lists_them_before_its_examples(name):
    text = CliRunner().invoke(main, [name, "--help"]).output
    assert "  Perceptual distances:\n    lpips-vgg (the published one), lpips-alex," in text
    assert text.index("builtin:digits         32x32") < text.index("  Examples:\n    latentlab ")
    assert text.index("  Examples:\n    latentlab ") < text.index("--distance NAME|FILE")


@pytest.mark.parametrize(("kind", "text"), [
    (file_name(), ".."), (file_name(), ""), (file_name(), "a/b"), (file_name(".gif"), "a.avi"),
    (number_list, "1," * 1000 + "x"), (number_list, "3-1"), (float_list, "1,nan"),
    (float_list, "1," * 1000),
])  # fmt: skip
def test_wrong_values_name_their_option_in_a_short_line(kind, text):
    command = click.Command("draw", params=[click.Option(["--it"], type=kind)], callback=print)
    done = CliRunner().invoke(command, ["--it", text])
    assert done.exit_code == 2
    assert "Invalid value for '--it'" in done.stderr
    assert len(done.stderr.splitlines()[-1]) < 200
