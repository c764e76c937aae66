"""latentlab completion: the script by which a shell completes latentlab's command line."""

import click

from cli.options.shells import SHELLS, script
from cli.text import tell


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)), metavar="bash|zsh|fish")
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what lets a shell complete commands.

    After that, the Tab key completes commands and options, checkpoints and the names of bundled
    models, pictures, folders, and what else an option takes: distances, configs, the classes of
    the checkpoint, the names in the file of --directions.

    \b
    Where it goes:
      bash    eval "$(latentlab completion bash)"
              in ~/.bashrc
      zsh     eval "$(latentlab completion zsh)"
              in ~/.zshrc, after compinit
      fish    latentlab completion fish | source
              in ~/.config/fish/config.fish

    \b
    Example:
      latentlab completion bash
    """
    tell(*script(shell, ctx.find_root().command).strip().splitlines())
