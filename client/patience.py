"""How long a client waits: apart, so that who names it loads no connection. Pure."""

from shotline.common.base import Value


class Patience(Value):
    """How long a client waits for what, in seconds."""

    heartbeat_s: float = 1.0
    silent_s: float = 3.0  # a Ping unanswered for this long: contact is lost
    hello_s: float = 0.5  # a Hello unanswered for this long is sent again
    connect_s: float = 5.0  # for the first Welcome
    lifetime_s: float = 10.0  # a command is not carried out later than this
    absence_s: float = 60.0  # of broker or dispatcher, while an accepted request waits
    repeat_s: float = 5.0  # an unanswered request is asked again: its reply may be lost
