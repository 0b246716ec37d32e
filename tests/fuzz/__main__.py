"""`make fuzz`: mutants of every message and command, 10^6 by default.

    python -m tests.fuzz [--count 1000000] [--live 20000] [--seed 1]

`--live` of them go through sockets. The exit code is 1 where a daemon has not stood it.
"""

import tempfile
import time
from pathlib import Path

import click
from tests.fuzz import codec, live, mad_broker


@click.command()
@click.option("--count", type=click.IntRange(1), default=1_000_000)
@click.option("--live", "through", type=click.IntRange(0), default=20_000)
@click.option("--seed", type=int, default=1)
def main(count: int, through: int, seed: int) -> None:
    """Send what is wrong, and see that it is refused in order."""
    rest, began = max(count - through, 2), time.monotonic()
    for what, feed, share in (
        ("messages", codec.feed, rest * 3 // 4),
        ("commands", codec.feed_commands, rest // 4),
    ):
        accepted, refused = feed(share, seed)
        click.echo(f"codec, {what}: {share} mutants, {accepted} in order, {refused} refused")
    if through:
        with tempfile.TemporaryDirectory(prefix="pytest-fuzz-") as folder:
            live.feed_server(Path(folder, "server"), through // 10, seed, click.echo)
            mad_broker.feed(Path(folder, "mad"), through // 10, seed, click.echo)
            live.feed(Path(folder), through - 2 * (through // 10), seed, click.echo)
    click.echo(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
