"""The experiment files of the workloads, one experiment for each."""

import json
from pathlib import Path
from typing import Final

from bench.workloads import LINE_BYTES, Sizes, Workload

SERVER_CLASS: Final = "BENCH"
PHASE: Final = "PULSE"
OUTPUT_PATH: Final = r"\W5::TOP:TALK"

_Entry = dict[str, object]


def write_experiment(workload: Workload, sizes: Sizes, folder: Path) -> Path:
    """Write a workload's experiment file and return its path; the experiment has its name."""
    file = folder / f"{workload.lower()}.yaml"
    content = {
        "experiment": workload.value,
        "phases": {PHASE: 1},
        "actions": _actions(workload, sizes),
    }
    # JSON is YAML, and a file that a program wrote needs none of the rest of YAML.
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return file


def _actions(workload: Workload, sizes: Sizes) -> list[_Entry]:
    match workload:
        case Workload.W1:
            return [_action("ONE", 1)]
        case Workload.W2:
            return [_action(f"A{number}", 1) for number in range(sizes.independent)]
        case Workload.W3:
            first = _action("A0", 1)
            return [first] + [
                _action(f"A{number}", f"A{number - 1}") for number in range(1, sizes.chain)
            ]
        case Workload.W4:
            many = [f"M{number}" for number in range(sizes.fan)]
            return [
                _action("FIRST", 1),
                *(_action(name, "FIRST") for name in many),
                _action("LAST", " and ".join(many)),
            ]
        case Workload.W5:
            arguments: _Entry = {"count": sizes.lines, "line_bytes": LINE_BYTES}
            task: _Entry = {"python": "bench.tasks:print_lines", "arguments": arguments}
            return [_action("TALK", 1) | {"task": task}]


def _action(path: str, when: int | str) -> _Entry:
    return {
        "path": path,
        "server_class": SERVER_CLASS,
        "phase": PHASE,
        "when": when,
        "task": {"python": "bench.tasks:nothing"},
        "timeout_s": 60.0,
    }
