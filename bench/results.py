"""What was measured: values by row, ratios of neighbours in time, goals; as JSON and as tables.

Nothing here knows what is measured or how; that is `workloads`. `document` puts the tables into
`docs/performance.md`.
"""

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

from bench.machine import Facts

RESULTS: Final = Path(__file__).resolve().parent / "results"
HEADINGS: Final = ("", "", "median", "lowest to highest", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked of a row: of the median of its ratios, or of its values where `of_value`."""

    limit: float
    at_least: bool = False
    of_value: bool = False

    def is_met(self, figure: float) -> bool:
        """Return whether a figure is good enough."""
        return figure >= self.limit if self.at_least else figure <= self.limit


@dataclass(slots=True)
class Row:
    """One figure of one subject, once for each time that it was measured.

    `base` is the subject in whose values the ratios are, each of measurements close in time. `part`
    is the process that a share belongs to; rows with parts stand in a table of their own.
    """

    what: str
    of: str
    unit: str
    base: str = ""
    goal: Goal | None = None
    part: str = ""
    values: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @property
    def value(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or nothing to compare with."""
        if self.goal is None or not (self.goal.of_value or self.ratios):
            return None
        return self.goal.is_met(
            self.value if self.goal.of_value else statistics.median(self.ratios)
        )

    def cells(self) -> tuple[str, ...]:
        """Return the row as a person reads it, under HEADINGS."""
        spread = ""
        if len(self.values) > 1:
            spread = f"{figure(min(self.values))} to {figure(max(self.values))}"
        ratio = ""
        if self.ratios:
            ratio = f"{figure(statistics.median(self.ratios))} × {self.base}"
        if len(self.ratios) > 1:
            ratio += f" ({figure(min(self.ratios))} to {figure(max(self.ratios))})"
        met = {None: "", True: "met", False: "**not met**"}[self.is_met]
        return (self.what, self.of, _with_unit(self), spread, ratio, self._goal(), met)

    def _goal(self) -> str:
        if self.goal is None:
            return ""
        sign = "≥" if self.goal.at_least else "≤"
        unit = f" {self.unit}" if self.goal.of_value else " ×"
        return f"{sign} {figure(self.goal.limit)}{unit}"


@dataclass(slots=True)
class Results:
    """All rows of one workload, in the order in which they were first told."""

    workload: str
    title: str
    facts: Facts
    rows: list[Row] = field(default_factory=list)

    def add(
        self,
        what: str,
        of: str,
        value: float,
        unit: str,
        *,
        beside: tuple[str, float] | None = None,
        goal: Goal | None = None,
        part: str = "",
    ) -> None:
        """Tell one value; `beside`: the subject that it is compared with, and what that one had."""
        row = self._row(what, of, part)
        if row is None:
            row = Row(what, of, unit, beside[0] if beside else "", goal, part)
            self.rows.append(row)
        row.values.append(value)
        if beside is not None and beside[1]:  # little may have taken no time at all
            row.ratios.append(value / beside[1])

    def missed(self) -> list[Row]:
        """Return the rows whose goals are not met."""
        return [row for row in self.rows if row.is_met is False]

    def table(self) -> Iterator[tuple[str, ...]]:
        """Yield the cells of all rows without parts; what repeats is left out."""
        whole = [row for row in self.rows if not row.part]
        for what in dict.fromkeys(row.what for row in whole):
            for at, row in enumerate(row for row in whole if row.what == what):
                yield ("" if at else what, *row.cells()[1:])

    def shares(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows with parts as lines of what, of, and a cell for each of `parts()`."""
        for what, of in dict.fromkeys((row.what, row.of) for row in self.rows if row.part):
            yield (what, of, *(_share(self._row(what, of, part)) for part in self.parts()))

    def parts(self) -> tuple[str, ...]:
        """Return the parts of all rows."""
        return tuple(dict.fromkeys(row.part for row in self.rows if row.part))

    def write(self, folder: Path) -> None:
        """Write NAME.json."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        _file(folder, self.workload).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path, workload: str) -> Self | None:
        """Return what was written; None where nothing was."""
        file = _file(folder, workload)
        if not file.exists():
            return None
        content = json.loads(file.read_text(encoding="utf-8"))
        content["facts"] = Facts(**content["facts"])
        content["rows"] = [_row(entry) for entry in content["rows"]]
        return cls(**content)

    def _row(self, what: str, of: str, part: str) -> Row | None:
        same = (row for row in self.rows if (row.what, row.of, row.part) == (what, of, part))
        return next(same, None)


def quantile(values: Iterable[float], share: float) -> float:
    """Return the value below which a share of them is."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def figure(value: float) -> str:
    """Return a number with the digits that count."""
    if value == 0:
        return "0"
    for least, digits in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if abs(value) >= least:
            text = f"{value:,.{digits}f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.2g}"


def _file(folder: Path, workload: str) -> Path:
    return folder / f"{workload}.json"


def _row(entry: dict[str, object]) -> Row:
    goal = entry.pop("goal")
    row = Row(**entry)  # type: ignore[arg-type]  # as `write` wrote it
    row.goal = Goal(**goal) if isinstance(goal, dict) else None
    return row


def _with_unit(row: Row) -> str:
    return f"{figure(row.value)} {row.unit}".strip()


def _share(row: Row | None) -> str:
    if row is None:
        return ""
    *_, goal, met = row.cells()
    return _with_unit(row) + (f" ({goal}: {met})" if goal else "")


def lines(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table as Markdown; its first row has the headings."""
    for at, row in enumerate(table):
        yield "| " + " | ".join(row) + " |\n"
        if at == 0:
            yield "|" + " --- |" * len(row) + "\n"
