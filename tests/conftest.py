"""What holds for all tests."""

import signal

# A shell that starts the tests in the background lets them ignore SIGINT, and so would the daemons
# that they start; the tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)
