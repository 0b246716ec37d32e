"""Calls a function for a task of the pulse queue; what it returns becomes text in JSON."""

import importlib
import json
from collections.abc import Callable
from typing import Any


def called(function: str, positional: list[Any], arguments: dict[str, Any]) -> str:
    """Return what `module:function` returns for arguments by position and by name, as JSON.

    What JSON does not know becomes its text. What the function raises is raised.
    """
    module, _, name = function.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    call: Callable[..., Any] = found
    return json.dumps(call(*positional, **arguments), ensure_ascii=False, default=str)
