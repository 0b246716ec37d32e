"""A plugin of pytest's: of the queue server's own tests it leaves those that are to run.

It is loaded where the queue server is installed, and nothing of Shotline is. `selection.yaml` says
what is left out, and why. What has become of each case goes to a file, a line each, which `run.py`
counts.
"""

import json
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
    _tell([(item.nodeid, "left out") for item in theirs if _is_left_out(item, chosen)])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell what became of a case: the call's outcome, or that of what goes around it."""
    if report.when == "call" or report.outcome != "passed":
        _tell([(report.nodeid, report.outcome)])


def _tell(cases: list[tuple[str, str]]) -> None:
    with Path(os.environ["SHOTLINE_TEST_RESULTS"]).open("a") as file:
        file.writelines(json.dumps(case) + "\n" for case in cases)


def _is_wanted(item: pytest.Item, chosen: dict, *, is_all: bool) -> bool:
    module = chosen[item.module.__name__]  # type: ignore[attr-defined]
    if _is_left_out(item, chosen):
        return False
    return is_all or item.originalname in module.get("every_run", ())  # type: ignore[attr-defined]


def _is_left_out(item: pytest.Item, chosen: dict) -> bool:
    left_out = chosen[item.module.__name__].get("left_out", {})  # type: ignore[attr-defined]
    return item.originalname in left_out or item.name in left_out  # type: ignore[attr-defined]
