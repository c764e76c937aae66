"""What is said of directions that planes of attributes give."""

import json

import pandas as pd
from click.testing import CliRunner

from cli.main import main
from latentlab.latents import save_ws, z_from_seeds


def test_doubts_are_cautions_on_the_page_and_nothing_is_said_twice(saved, small, tmp_path):
    """A page drawn later from what is saved has the cautions as well."""
    ws = small.mapping(z_from_seeds(range(60), 16))
    save_ws(tmp_path / "w.npz", ws)
    first = ws[:, -1, 0].numpy()
    labels = {"first": first > first.mean(), "one": 1}
    pd.DataFrame(labels).to_csv(tmp_path / "labels.csv", index=False)
    command = ["directions", saved / "model.safetensors", "--method", "svm", "--latents",
               tmp_path / "w.npz", "--labels", tmp_path / "labels.csv", "--any-checkpoint",
               "-o", tmp_path / "out"]  # fmt: skip
    for more in ([], ["--html"]):
        done = CliRunner().invoke(main, [*map(str, command), *more])
        assert done.exit_code == 0, done.stderr
        lines = done.stderr.splitlines()
        assert "1 direction found." in lines
        (accuracy,) = json.loads((tmp_path / "out/saved/results.json").read_text())["models"][0][
            "notes"
        ]
        assert accuracy.count(" to ") == 1  # "fitted to", and no span of one number
        assert sum("in 12 dimensions" in line for line in lines) == 1
        assert not any(line.startswith("See ") for line in lines)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    cautions = [part.split("</p>")[0] for part in page.split("<strong>Caution:</strong>")[1:]]
    assert "No plane was found for one" in cautions[0]
    assert "in 12 dimensions planes divide many of 60 by chance" in cautions[1]
