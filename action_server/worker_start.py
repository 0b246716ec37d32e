"""The first lines of a worker process: it hangs on the server's lifeline before it loads anything.

Loading what tasks need takes long on a busy machine; a server that is killed meanwhile must take
its workers along (docs/decisions/0012).
"""

import sys

from shotline.action_server import kernel


def main(arguments: list[str]) -> int:
    """Take the lifeline, then become the worker. Arguments as those of `execute.main`."""
    kernel.kill_group_when_closed(int(arguments[0]))
    from shotline.action_server.execute import main as serve

    return serve(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
