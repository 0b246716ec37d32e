"""`make sim SEEDS=…`: run many seeds of all simulations, and say how fast and what broke.

python -m tests.simulation --seeds 5000            seeds 0 to 4999 of each
python -m tests.simulation --seeds 120:121 --only QueueScenario
python -m tests.simulation --seeds 3 --digest      what stands for all that happened in each
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from typing import Final

from tests.simulation.hosted.queue import KilledEarly, LockedQueue, QueueScenario
from tests.simulation.hosted.storms import LostEnd, QueueStorm, UrlStorm, VolumesStorm
from tests.simulation.hosted.urls import TwoShots
from tests.simulation.hosted.volumes import VolumesScenario
from tests.simulation.scenario import Scenario
from tests.simulation.seeds import digest_of, run_seed
from tests.simulation.storm.replaced import Refused, Replaced, Unheard
from tests.simulation.storm.scenario import Storm
from tests.simulation.test_alarms import AlarmsScenario
from tests.simulation.test_fleet import FleetScenario
from tests.simulation.test_limits import LimitedScenario
from tests.simulation.test_pilots import PilotScenario

FRESH: Final = 200
KINDS: Final[Mapping[str, type[Scenario]]] = {
    kind.__name__: kind
    for kind in (
        Storm,
        Replaced,
        Unheard,
        Refused,
        QueueStorm,
        LostEnd,
        VolumesStorm,
        UrlStorm,
        Scenario,
        FleetScenario,
        LimitedScenario,
        QueueScenario,
        KilledEarly,
        LockedQueue,
        VolumesScenario,
        TwoShots,
        PilotScenario,
        AlarmsScenario,
    )
}


def seeds_of(text: str) -> range:
    """Return the seeds that `COUNT`, `FIRST:BEHIND` or `fresh` names: some that nobody has seen."""
    if text == "fresh":
        begin = int.from_bytes(os.urandom(4))
        return range(begin, begin + FRESH)
    first, colon, behind = text.partition(":")
    return range(int(first), int(behind)) if colon else range(int(first))


def main(arguments: list[str]) -> int:
    """Run them. Return the exit code: 1 where one has broken a rule."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=seeds_of, default=seeds_of("fresh"))
    parser.add_argument("--only", choices=KINDS, action="append", help="of these simulations")
    parser.add_argument("--digest", action="store_true")
    asked = parser.parse_args(arguments)
    broken = 0
    if not asked.digest:
        say(f"seeds {asked.seeds.start} to {asked.seeds.stop - 1}")
    for name in asked.only or KINDS:
        kind, began = KINDS[name], time.process_time()
        for seed in asked.seeds:
            if asked.digest:
                say(f"{name} {seed} {digest_of(kind, seed)}")
                continue
            try:
                run_seed(kind, seed)
            except AssertionError as error:
                broken += 1
                say(f"{name}: {error}\n")
        took_s = time.process_time() - began
        if not asked.digest:
            say(f"{name}: {len(asked.seeds)} seeds in {took_s:.1f} s of one core")
    return 1 if broken else 0


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
