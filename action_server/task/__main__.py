"""The first lines of a worker process: it hangs on the server's lifeline before it loads anything.

Loading what tasks need takes long on a busy machine; a server that is killed meanwhile must take
its workers along (docs/decisions/0012).
"""

import importlib
import os
import sys

from shotline.action_server import kernel


def main(arguments: list[str]) -> int:
    """Take the lifeline, then become the worker. Arguments: its descriptors, and its Setup."""
    kernel.kill_group_when_closed(int(arguments[0]))
    from shotline.action_server.task.channel import Setup
    from shotline.action_server.task.execute import main as serve

    setup = Setup.from_argument(arguments[-1])
    os.nice(setup.nice)
    # Behind everything that is installed: what a site calls its modules hides none of ours.
    sys.path += [folder for folder in setup.task_path if folder not in sys.path]
    for name in setup.preload:
        importlib.import_module(name)
    return serve(tuple(map(int, arguments[:-1])), setup.limits)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
