"""A stack whose servers a provider starts on demand, as jobs of a real Slurm or by a script."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.faults import LOST_SOON, stack_of
from tests.support.stack import DEADLINE_S, Stack, merged

from shotline.client.local.daemons import Daemon


class OnDemand:
    """The stack, and the provider as a process."""

    def __init__(self, stack: Stack, environment: Mapping[str, str]) -> None:
        self.stack = stack
        self.provider = Daemon(
            "provider",
            "shotline.providers",
            ["--config", str(stack.config_file)],
            stack.folder / "provider.log",
            environment,
        )

    def start(self) -> None:
        """Start the provider, and return once it serves."""
        self.provider.start()
        self.provider.wait_ready(time.monotonic() + DEADLINE_S)

    def log(self) -> str:
        """Return what it has logged."""
        return self.provider.log_file.read_text()


@contextmanager
def on_demand(
    folder: Path,
    classes: Mapping[str, Mapping[str, object]],
    actions: Sequence[Mapping[str, object]],
    environment: Mapping[str, str],
    settings: Mapping[str, object] | None = None,
    servers: Sequence[str] = (),
) -> Iterator[OnDemand]:
    """Have servers of these classes started on demand; the provider looks often."""
    program = [sys.executable, "-P", "-m", "shotline.action_server"]
    quick: dict[str, object] = {
        "providers": {
            "classes": classes,
            "look_s": 0.2,
            "engine_look_s": 0.5,
            "command_s": 10.0,
            "program": [*program, "--config", str(folder / "config.yaml")],
        }
    }
    usual = merged(merged(LOST_SOON, quick), settings or {})
    with stack_of(folder, servers, *actions, settings=usual) as stack:
        found = OnDemand(stack, environment)
        found.start()
        try:
            yield found
        except BaseException:
            sys.stderr.write(f"--- provider\n{found.log()[-6000:]}\n")
            raise
        finally:
            found.provider.stop()
