"""How the commands of `shotline` show themselves: groups with headings, whole sentences, examples.

What they do is in their own modules, what they share of it in `base`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import click

_NEGATIVE: Final = re.compile(r"-\d+")
MINUS: Final = "−"
"""Stands for the sign of a negative word while click looks for options."""


def without_signs(words: Sequence[str]) -> list[str]:
    """Return a command's words as click is to see them: a negative number is no option."""
    return [MINUS + word[1:] if _NEGATIVE.fullmatch(word) else word for word in words]


class ShotlineCommand(click.Command):
    """A command: negative numbers are words, an example stands at the end of its help."""

    def __init__(self, *args: object, example: str = "", **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own arguments
        self.example = example

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the sign of negative numbers from being taken for an option's."""
        return super().parse_args(ctx, without_signs(args))

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002
        """Return the first sentence of the help, all of it."""
        return _sentence(self)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples."""
        _write_example(self.example, formatter)


class ShotlineGroup(click.Group):
    """Commands under headings, also in the spelling with underscores."""

    def __init__(self, *args: object, example: str = "", **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own arguments
        self.example = example
        self.sections: dict[str, list[click.Command]] = {}

    def add_section(self, heading: str, commands: Iterable[click.Command]) -> None:
        """Add commands that the help shows under a heading, in this order."""
        section = self.sections.setdefault(heading, [])
        for one in commands:
            self.add_command(one)
            section.append(one)

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002
        """Return the first sentence of the help, all of it."""
        return _sentence(self)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands under their headings, what has none under `Commands`."""
        sorted_in = {id(one) for section in self.sections.values() for one in section}
        rest = [one for one in self.commands.values() if id(one) not in sorted_in]
        width = max((len(name) for name in self.commands), default=0)
        for heading, section in (*self.sections.items(), ("Commands", rest)):
            rows = [
                (str(one.name).ljust(width), one.get_short_help_str())
                for one in section
                if not one.hidden
            ]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the examples."""
        _write_example(self.example, formatter)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name in either spelling."""
        return super().get_command(ctx, cmd_name.replace("_", "-"))


def _sentence(command: click.Command) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split())


def _write_example(example: str, formatter: click.HelpFormatter) -> None:
    if example:
        with formatter.section("Example"):
            for line in example.splitlines():
                formatter.write(f"  {line.strip()}\n")
