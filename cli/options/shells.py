"""The scripts that let bash, zsh and fish ask latentlab what may stand on its command line.

Each calls ``latentlab`` with an environment variable of click's protocol, which answers with one
completion in each line and ends before anything slow is imported.
"""

import os
import re
from typing import Any

from click.shell_completion import (
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

VARIABLE = "_LATENTLAB_COMPLETE"  # by which click knows that a shell asks
_QUOTED = re.compile(r"([\s\\'\"()<>|&;$`!*?\[\]{}#])")

# Bash cuts words at the characters of COMP_WORDBREAKS, : and = among them, and replaces only what
# comes after the last. latentlab gets the whole line, and answers with what bash is to put there.
_BASH = r"""
%(complete_func)s() {
    local IFS=$'\n' reply
    COMPREPLY=()
    for reply in $(COMP_LINE="${COMP_LINE:0:$COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \
            %(complete_var)s=bash_complete "$1" 2>/dev/null); do
        COMPREPLY+=("$reply")
        [[ $reply == */ || $reply == *= ]] && compopt -o nospace
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

# A folder is no end: after one, zsh puts no space.
_ZSH = r"""#compdef %(prog_name)s
%(complete_func)s() {
    local -a lines ends open
    (( ! $+commands[%(prog_name)s] )) && return 1
    lines=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
        %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    ends=(${lines:#*[/=]})
    open=(${(M)lines:#*[/=]})
    (( $#ends )) && compadd -U -V unsorted -a ends
    (( $#open )) && compadd -U -S '' -V unsorted -a open
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = r"""
function %(complete_func)s
    env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \
        %(prog_name)s 2>/dev/null
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class _Silent(ShellComplete):
    """Answers with plain values, and with nothing where something is wrong with the line."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return the completions; a shell has no place for a message."""
        try:
            return super().get_completions(args, incomplete)
        except Exception:  # whatever it is, the command itself will say so
            return []

    def format_completion(self, item: CompletionItem) -> str:
        """Return the value alone."""
        return str(item.value)


class Bash(_Silent):
    """Bash: values come as they are to be typed, cut where bash cuts words."""

    name, source_template = "bash", _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Split the line up to the cursor."""
        words = split_arg_string(_line())
        if not _line() or (_line()[-1].isspace() and not _open_quote(_line())):
            words.append("")
        return words[1:-1], words[-1]

    def complete(self) -> str:
        """Return what bash is to put after the last character that cuts words."""
        args, incomplete = self.get_completion_args()
        quoted = _open_quote(_line())
        breaks = "" if quoted else os.environ.get("COMP_BREAKS", "")
        values = [str(each.value) for each in self.get_completions(list(args), incomplete)]
        typed = incomplete
        if typed.startswith("--") and "=" in typed:  # click completes what follows
            typed = typed.partition("=")[2]
        kept = max((typed.rfind(each) + 1 for each in ":=" if each in breaks), default=0)
        ready = [value[kept:] for value in values if "\n" not in value]
        return "\n".join(each if quoted else _QUOTED.sub(r"\\\1", each) for each in ready)


class _WholeWords(_Silent):
    """For shells that put a completion in place of the whole word, and quote by themselves."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return the completions; those of --option=value with the option."""
        found = super().get_completions(args, incomplete)
        option, equals, _ = incomplete.partition("=")
        if not equals or not option.startswith("--"):
            return found
        return [CompletionItem(f"{option}={item.value}") for item in found]


class Zsh(_WholeWords, ZshComplete):
    """Zsh."""

    name, source_template = "zsh", _ZSH


class Fish(_WholeWords, FishComplete):
    """Fish."""

    name, source_template = "fish", _FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def serve_shells() -> None:
    """Let click answer shells by the classes of this file."""
    for kind in SHELLS.values():
        add_completion_class(kind)


def script(shell: str, program: Any, name: str = "latentlab") -> str:
    """Return what a shell is to read so that it completes; ``program`` is the group of commands."""
    return SHELLS[shell](program, {}, name, VARIABLE).source()


def _line() -> str:
    return os.environ.get("COMP_LINE", "")


def _open_quote(line: str) -> str:
    """Return the quote that is open at the end of a line, or nothing."""
    quote, escaped = "", False
    for character in line:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
    return quote
