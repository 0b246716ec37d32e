"""What the last run of each trial came to, in a file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Result:
    """Of one trial: when it ran (UTC), how much of it, what was tried and counted."""

    day: str
    scale: float
    tried: int
    counted: dict[str, int]
    said: list[str]
    wrong: list[str]
    took_s: int


def kept(file: Path) -> dict[str, Result]:
    """Return what a file holds, by trial."""
    if not file.exists():
        return {}
    return {name: Result(**one) for name, one in json.loads(file.read_text()).items()}


def keep(file: Path, results: dict[str, Result]) -> None:
    """Write it."""
    told = {name: asdict(results[name]) for name in sorted(results)}
    file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
