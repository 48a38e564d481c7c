"""The page of the command line, of typer's own tree of commands, options and texts."""

import re
from collections.abc import Iterator
from typing import Any, Final

import typer

from camunda_entra_fastapi.cli.commands import commands
from tests.docs.reference.markdown import bullet, coded, generated, prose

NAME: Final = "command-line.md"
INTRODUCTION: Final = """\
# Command line

This page lists the commands of `camunda-entra`, their arguments and options, as `--help` has them. The extra
`cli` installs it: `pip install "camunda-entra-fastapi[cli]"`.
"""
ENDING: Final = """\
`camunda-entra --install-completion` completes commands and options in your shell. The exit code is 0 when
all is well, 1 when something was found wrong or refused, and 2 when the command was wrongly called.
"""


def page() -> str:
    """The page."""
    return generated("\n".join(_lines()), "the commands of camunda_entra_fastapi/cli")


def tree() -> Any:
    """The program with its commands, as typer makes it."""
    return typer.main.get_command(commands)


def _lines() -> Iterator[str]:
    program = tree()
    yield INTRODUCTION
    yield f"{prose(ENDING)}\n"
    own = [one for one in program.params if one.name not in {"install_completion", "show_completion"}]
    yield from (_option(one) for one in own)
    yield from [""] * bool(own)
    for name, command in program.commands.items():
        yield f"## camunda-entra {name}\n"
        yield from _help(command.help)
        for heading, kind in (("Arguments", "argument"), ("Options", "option")):
            parameters = [one for one in command.params if one.param_type_name == kind and not one.hidden]
            if parameters:
                yield f"{heading}:\n"
                yield from map(_option, parameters)
                yield ""


def _help(text: str) -> Iterator[str]:
    """The text of the command, its examples as console lines."""
    words, _, examples = text.replace("\b", "").partition("Examples:\n")
    yield from (f"{prose(coded(part))}\n" for part in re.split(r"\n\s*\n", words) if part.strip())
    if examples:
        yield "```console"
        for example in re.split(r"\n\s*\n", examples):
            first, *others = [line.strip() for line in example.splitlines() if line.strip()]
            yield f"$ {first}"
            yield from (f"    {line}" for line in others)
        yield "```\n"


def _option(option: Any) -> str:
    if option.param_type_name == "argument":
        named = option.name.upper()
    else:
        names = " / ".join((*option.opts, *option.secondary_opts))
        named = names if option.is_flag else f"{names} {_value(option)}"
    return bullet(f"`{named}`: {coded(option.help or '')}{_default(option)}")


def _value(option: Any) -> str:
    """What stands behind the option, as a word."""
    if option.metavar:
        return str(option.metavar)
    choices = getattr(option.type_descriptor.annotation, "__members__", None)
    return "|".join(one.value for one in choices.values()) if choices else option.name.upper()


def _default(option: Any) -> str:
    shown = option.show_default if isinstance(option.show_default, str) else option.default
    if option.required:
        return " Required."
    if shown in {None, False, ""} or option.show_default is False or shown == () or callable(shown):
        return ""
    if shown is True:
        shown = option.opts[0]
    return f" Default: `{getattr(shown, 'value', shown)}`."
