"""Somebody else who adds a long programme to the pulse queue.

    python -m bench.programme CONFIG TREE COUNT    says `ready`, then how many are in after each add

Each line on its standard input makes it add COUNT plans in one command.
"""

import sys
from pathlib import Path

from bench.programs import ANSWER_WITHIN_S, say
from shotline.client.supervisor import Supervisor
from shotline.common.keys.folder import own_key
from shotline.common.settings.config import load_config


def main(file: str, tree: str, count: int) -> None:
    """Add whenever somebody says so."""
    config = load_config(Path(file), environment={})
    plan = {"experiment": tree, "phases": [{"phase": "PULSE"}]}
    key = own_key(config.keys, "operator")
    with Supervisor(config.broker.clients, key=key, timeout_s=ANSWER_WITHIN_S) as supervisor:
        supervisor.status()
        say("ready")
        for _ in sys.stdin:
            added = supervisor.queue_add([plan] * count)
            say(str(len(added.entries)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
