"""A second Ctrl-C, or SIGTERM, in the middle of writing a snapshot."""

import signal

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

import latentlab
from cli.main import main
from cli.running.interrupt import stop_on_signals, unwind_on_sigterm
from latentlab import files

LINE = [
    "train", "--data", "builtin:digits", "--config", "stylegan1-small", "--channels", "1",
    "--channel-max", "4", "--batch", "4", "--snapshot-kimg", "0.004", "--kimg", "0.008",
    "--device", "cpu",
]  # fmt: skip


@pytest.mark.parametrize(("sign", "error", "code"), [
    (signal.SIGINT, KeyboardInterrupt, 130), (signal.SIGTERM, SystemExit, 143),
])  # fmt: skip
def test_j07_the_first_signal_asks_and_the_second_acts_at_once(sign, error, code, capsys):
    before = signal.getsignal(sign)
    with unwind_on_sigterm(), stop_on_signals() as request:
        assert not request()
        signal.raise_signal(sign)
        assert request()
        assert request.exit_code == code
        with pytest.raises(error) as ended:
            signal.raise_signal(sign)
    assert sign == signal.SIGINT or ended.value.code == code
    assert "once more to end at once" in capsys.readouterr().err
    assert signal.getsignal(sign) is before


def test_j07_after_a_second_signal_every_file_is_whole_and_the_run_goes_on(tmp_path, monkeypatch):
    once, twice = tmp_path / "once", tmp_path / "twice"
    assert CliRunner().invoke(main, [*LINE, "-o", str(once)]).exit_code == 0
    sync = files.sync

    def interrupted(path):
        if path.parent == twice and path.suffix == ".safetensors" and list(twice.glob("snap*")):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        sync(path)

    monkeypatch.setattr(files, "sync", interrupted)
    done = CliRunner().invoke(main, [*LINE, "-o", str(twice)])
    assert done.exit_code == 130, done.stderr
    assert "The same command continues" in done.stderr
    assert list(twice.glob(".tmp-*")) == []
    for snapshot in twice.glob("snapshot-*[0-9].safetensors"):
        assert latentlab.load(snapshot).discriminator is not None
    monkeypatch.undo()
    done = CliRunner().invoke(main, [*LINE, "-o", str(twice)])
    assert done.exit_code == 0, done.stderr
    whole, stopped = (load_file(each / "snapshot-000000008.safetensors") for each in (once, twice))
    assert whole.keys() == stopped.keys()
    assert all(torch.equal(tensor, stopped[name]) for name, tensor in whole.items())
