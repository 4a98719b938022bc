"""`lambda-layers completion`: a script that completes commands and options in a shell."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from entrypoint.commands import HELP, command
from entrypoint.commands.command import Command, Option, Result

if TYPE_CHECKING:
    from entrypoint.commands.context import Context

_BASH = """\
# Completion of lambda-layers for bash. In ~/.bashrc: eval "$(lambda-layers completion bash)"
_lambda_layers() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" words="" word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) command="$word"; break ;; esac
  done
  case "$command $previous" in
%(values)s
  esac
  [ -z "$words" ] && case "$command" in
%(words)s
  esac
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$words" -- "$current")
}
complete -o default -F _lambda_layers lambda-layers lambda-layer-pipeline"""
_ZSH = """\
#compdef lambda-layers lambda-layer-pipeline
# Completion of lambda-layers for zsh. In ~/.zshrc, after compinit: eval "$(lambda-layers completion zsh)"
_lambda_layers() {
  local -a commands=(
%(commands)s
  )
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
%(words)s
      esac ;;
  esac
}
compdef _lambda_layers lambda-layers lambda-layer-pipeline"""
_FISH = """\
# Completion of lambda-layers for fish. In config.fish: lambda-layers completion fish | source
%(lines)s"""


def run(context: "Context") -> Result:
    """Print the script."""
    return Result(text=_SCRIPTS[context.arguments.shell]())


def _options(name: str) -> tuple[Option, ...]:
    return tuple(option for option in command(name).options if option.name.startswith("-"))


def _choices(option: Option) -> tuple[str, ...]:
    return tuple(map(str, option.settings.get("choices", ())))


def _bash() -> str:
    names = " ".join(HELP)
    words = [f'    "") words="{names} help --help --version" ;;', f'    help) words="{names}" ;;']
    values = []
    for name in HELP:
        flags = " ".join([*(option.name for option in _options(name)), "--help", *_arguments(name)])
        words.append(f'    {name}) words="{flags}" ;;')
        values += [
            f'    "{name} {option.name}") words="{" ".join(_choices(option))}" ;;'
            for option in _options(name)
            if _choices(option)
        ]
    return _BASH % {"words": "\n".join(words), "values": "\n".join(values)}


def _arguments(name: str) -> Iterator[str]:
    """Yield the words that a command takes as arguments."""
    for option in command(name).options:
        if not option.name.startswith("-"):
            yield from _choices(option)


def _zsh() -> str:
    commands = "\n".join(f"    '{name}:{_plain(text)}'" for name, text in HELP.items())
    words = []
    for name in HELP:
        described = [f"'{_zsh_option(option)}'" for option in _options(name)]
        described += [f"'*:argument:({' '.join(found)})'" for found in [tuple(_arguments(name))] if found]
        words.append(f"        {name}) _arguments {' '.join(described)} '*:file:_files' ;;")
    return _ZSH % {"commands": commands, "words": "\n".join(words)}


def _zsh_option(option: Option) -> str:
    text = f"{option.name}[{_plain(option.help % option.settings)}]"
    if _is_switch(option):
        return text
    found = _choices(option)
    return f"{text}:value:({' '.join(found)})" if found else f"{text}:value:_files"


def _fish() -> str:
    lines = []
    for program in ("lambda-layers", "lambda-layer-pipeline"):
        for name, text in HELP.items():
            start = f"complete -c {program} -n"
            lines.append(f"{start} __fish_use_subcommand -f -a {name} -d '{_plain(text)}'")
            within = f"{start} '__fish_seen_subcommand_from {name}'"
            lines += [f"{within} -l {_fish_option(option)}" for option in _options(name)]
            lines += [f"{within} -f -a '{' '.join(found)}'" for found in [tuple(_arguments(name))] if found]
    return _FISH % {"lines": "\n".join(lines)}


def _fish_option(option: Option) -> str:
    text = f"{option.name.removeprefix('--')} -d '{_plain(option.help % option.settings)}'"
    if _is_switch(option):
        return text
    found = _choices(option)
    return f"{text} -x -a '{' '.join(found)}'" if found else f"{text} -r"


def _is_switch(option: Option) -> bool:
    return option.settings.get("action") == "store_true"


def _plain(text: str) -> str:
    """Return a help text without what shells would read as their own."""
    return re.sub(
        r"[^\w ,.;()/=\N{RIGHT SINGLE QUOTATION MARK}-]",
        "",
        text.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
    )


_SCRIPTS: dict[str, Callable[[], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}

COMMAND = Command(
    (Option("shell", "the shell that reads it", {"metavar": "SHELL", "choices": tuple(_SCRIPTS)}),),
    run,
)
