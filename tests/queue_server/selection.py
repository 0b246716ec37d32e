"""A plugin of pytest's: of the queue server's own tests it leaves those that are to run.

It is loaded where the queue server is installed, and nothing of Shotline is. `selection.yaml` says
what is left out, and why.
"""

import os
from pathlib import Path

import pytest
import yaml

# The HTTP server's tests use it without importing it.
from bluesky_queueserver.manager.tests.common import re_manager_factory  # noqa: F401

FILE = Path(__file__).parent / "selection.yaml"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `selection.yaml` names; of the rest this process's share."""
    chosen = yaml.safe_load(FILE.read_text())
    is_all = os.environ["SHOTLINE_TEST_ALL"] == "1"
    share, shares = map(int, os.environ["SHOTLINE_TEST_SHARE"].split("/"))
    ours = [item for item in items if item.module.__name__ not in chosen]  # type: ignore[attr-defined]
    theirs = [item for item in items if item not in ours]
    wanted = [item for item in theirs if _is_wanted(item, chosen, is_all=is_all)]
    kept = ours + [item for at, item in enumerate(wanted) if at % shares == share]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _is_wanted(item: pytest.Item, chosen: dict, *, is_all: bool) -> bool:
    module = chosen[item.module.__name__]  # type: ignore[attr-defined]
    function = item.originalname  # type: ignore[attr-defined]
    left_out = module.get("left_out", {})
    if function in left_out or item.name in left_out:
        return False
    return is_all or function in module.get("every_run", ())
