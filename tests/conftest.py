"""What holds for all tests."""

import signal

from hypothesis import HealthCheck, settings

# A shell that starts the tests in the background lets them ignore SIGINT, and so would the daemons
# that they start; the tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine an example may take any time, which says nothing about the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
