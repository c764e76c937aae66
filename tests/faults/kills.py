"""Work that is killed again and again, and given again each time, until it is done.

Half of the kills come at a moment of the processor's clock, half right before a change to the
output folder, where they do most harm. Both are drawn from a seed.
"""

import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from tests.faults.commands import Accident, Commands, Ended
from tests.faults.jobs import Job, contents, differences


@dataclass
class Killed:
    """How work went that was killed.

    Attributes:
        kills: How often it was.
        rounds: How often it was begun anew, as it was done.
        starts: How often the command was given.
        failures: What went wrong: it did not go on, or what it left is not the same.
    """

    kills: int = 0
    rounds: int = 0
    starts: int = 0
    failures: list[str] = field(default_factory=list)


def killed(
    commands: Commands, job: Job, inputs: Path, kills: int, seed: int, folder: Path
) -> Iterator[Killed]:
    """Do some work so often that it is killed ``kills`` times; yields how it stands after a round.

    What each round leaves must be what an uninterrupted run does. One that differs is kept.
    """
    whole = _given(commands, job, inputs, folder / "whole", Accident())
    if whole.code or whole.operations is None or whole.seconds is None:
        raise ValueError(f"uninterrupted, it ended with {whole.code}: {whole.stderr[-500:]}")
    expected, rng, found = contents(folder / "whole" / "out"), Random(seed), Killed()
    while found.kills < kills:
        found.rounds += 1
        again = folder / f"round-{found.rounds}"
        code = -signal.SIGKILL
        while code == -signal.SIGKILL:
            left = kills - found.kills
            accident = _drawn(rng, whole) if left else Accident()
            ended = _given(commands, job, inputs, again, accident)
            code = ended.code
            found.starts += 1
            found.kills += code == -signal.SIGKILL
        if code:
            found.failures.append(f"round {found.rounds} ended with {code}: {ended.stderr[-500:]}")
        wrong = differences(expected, contents(again / "out"))
        if wrong:
            found.failures.append(f"round {found.rounds} differs in {', '.join(wrong)}")
        else:
            shutil.rmtree(again)
        yield found


def _drawn(rng: Random, whole: Ended) -> Accident:
    """Draw when a kill comes, out of the time and the changes that the whole work takes."""
    assert whole.operations is not None
    assert whole.seconds is not None
    if rng.random() < 0.5:
        return Accident(at_operation=rng.randint(1, whole.operations))
    return Accident(kill_after=rng.uniform(0, whole.seconds))


def _given(commands: Commands, job: Job, inputs: Path, folder: Path, accident: Accident) -> Ended:
    folder.mkdir(parents=True, exist_ok=True)
    words = [*job.words(inputs), "-o", "out"]
    return commands.run(words, folder / "out", replace(accident, patches=job.patches), folder)
