"""`make faults`: run the trials, print what was tried and counted, and keep it.

    python -m tests.faults [--only NAME ...] [--scale 0.1] [--keep FILE]

The exit code is 1 when a promise did not hold. `--keep` puts each result into a file, beside those
of the trials that were not run now; docs/reliability.md has its table from it.
"""

import datetime
import sys
from pathlib import Path

import click
from tests.faults import TRIALS
from tests.faults.results import Result, keep, kept
from tests.faults.trial import FIGURES


@click.command()
@click.option("--only", multiple=True, type=click.Choice([one.name for one in TRIALS]))
@click.option("--scale", type=click.FloatRange(0, 1, min_open=True), default=1.0)
@click.option("--keep", "file", type=click.Path(path_type=Path, dir_okay=False))
def main(only: tuple[str, ...], scale: float, file: Path | None) -> None:
    """Break things, and count."""
    good = True
    for trial in TRIALS:
        if only and trial.name not in only:
            continue
        click.echo(f"{trial.name}: {trial.broken} …", err=True)
        row, took_s = trial.run(scale)
        figures = {name: row.counted[name] for name in FIGURES} | dict(row.counted)
        told = ", ".join(f"{name} {number}" for name, number in figures.items())
        click.echo(f"{trial.name:20} tried {row.tried:4}  {told}  ({took_s:.0f} s)")
        for sentence in row.said:
            click.echo(f"{'':20} {sentence}")
        for sentence in row.wrong:
            click.echo(f"{'':20} WRONG: {sentence}")
        good = good and not row.wrong
        today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
        result = Result(today, scale, row.tried, figures, row.said, row.wrong, round(took_s))
        if file is not None:  # others may have kept theirs meanwhile
            keep(file, kept(file) | {trial.name: result})
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
