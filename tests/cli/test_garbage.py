"""Python's search for garbage waits while a command is imported, and no longer."""

import gc
import json
import subprocess
import sys

SCRIPT = """
import gc, json
from cli import garbage
usual = gc.get_threshold()
garbage.look_as_usual()  # in a process that is not the command's own: nothing to change
kept = gc.get_threshold()
garbage.spare_imports()
waiting = gc.get_threshold()
garbage.look_as_usual()
print(json.dumps([usual, kept, waiting, gc.get_threshold(), gc.get_freeze_count() > 1000]))
"""


def test_garbage_is_looked_for_as_usual_once_the_work_begins():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True)
    usual, kept, waiting, after, frozen = json.loads(done.stdout)
    assert usual == kept == after
    assert waiting[0] > 100 * usual[0]
    assert frozen


def test_a_command_called_from_python_changes_nothing():
    from click.testing import CliRunner

    from cli.main import main

    before = gc.get_threshold()
    assert CliRunner().invoke(main, ["--version"]).exit_code == 0
    assert gc.get_threshold() == before
