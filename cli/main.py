"""The command group; turns errors into one line and an exit code."""

import os
import sys
from typing import Any

import click

from cli.demo import demo
from cli.generate import generate
from cli.project import project
from cli.train import train
from cli.train_classifier import train_classifier

_INTERRUPTED, _BROKEN_PIPE = 130, 141


class _Group(click.Group):
    """A group whose commands end in one line and an exit code, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            # The reader has gone: nobody is left to tell, and flushing would fail once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(_BROKEN_PIPE)
        except Exception as error:
            from latentlab.errors import LatentlabError  # imports torch, if nothing has yet

            if not isinstance(error, LatentlabError):
                raise
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="latentlab", prog_name="latentlab")
def main() -> None:
    """Open a trained StyleGAN, project photographs into it, train one.

    CKPT is a checkpoint file, or a bundled model such as builtin:digits-stylegan2.
    Talk goes to stderr, results go to files or stdout.
    """


for _command in (generate, project, train, train_classifier, demo):
    main.add_command(_command)
