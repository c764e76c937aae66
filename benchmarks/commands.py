"""Commands run as a user runs them, and what each of them used."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple

import click


class Used(NamedTuple):
    """What a command used: seconds by the clock and of the CPU, and its peak memory in MB."""

    wall: float
    cpu: float
    megabytes: float


def run(*arguments: object, environment: Mapping[str, str] | None = None) -> Used:
    """Run ``latentlab`` with ``arguments``, and say nothing of what it prints.

    Args:
        arguments: Of the command line.
        environment: Variables beside those of this process.

    Raises:
        ClickException: If it does not end with 0.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    if status:
        code = os.waitstatus_to_exitcode(status)
        raise click.ClickException(f"`latentlab {arguments[0]}` ended with exit code {code}")
    wall = time.perf_counter() - started
    return Used(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
