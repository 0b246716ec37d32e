"""Writes the methods of `client/methods.py` anew: one for each function of the client's verbs.

They stand there in full, so that a type checker and a reader see them; a test holds the committed
file to the functions.
"""

import inspect
import re
import sys
from pathlib import Path
from typing import Final

from shotline.client.verbs import (
    alarm_verbs,
    fleet_verbs,
    past_verbs,
    queue_verbs,
    records_verbs,
    shot_verbs,
)

_METHODS: Final = re.compile(r"(?:    \w+ = _(blocking|awaiting)\(\w+_verbs\.\w+\)\n)+")


def written(module: str) -> str:
    """Return the module with its methods as the verbs are now."""
    return _METHODS.sub(lambda found: "".join(_methods(found[1])), module)


def _methods(how: str) -> list[str]:
    return [f"    {name} = _{how}({function})\n" for name, function in _verbs()]


def _verbs() -> list[tuple[str, str]]:
    """Return the verbs with their functions, in their order there."""
    return [
        # `quit` would hide Python's own in that module.
        (name.removesuffix("_dispatcher"), f"{module.__name__.rpartition('.')[2]}.{name}")
        for module in (shot_verbs, past_verbs, alarm_verbs, fleet_verbs, queue_verbs, records_verbs)
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    ]


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
