"""Trials that break something of the real system on purpose and count what comes of it.

`python -m tests.faults` runs them and prints a row of each; the quick ones run with all tests.
"""

from tests.faults.keeping import TRIALS as KEEPING
from tests.faults.killing import TRIALS as KILLING
from tests.faults.losing import TRIALS as LOSING
from tests.faults.machine import TRIALS as MACHINE
from tests.faults.network import TRIALS as NETWORK
from tests.faults.trial import Row, Trial

TRIALS: tuple[Trial, ...] = (*KILLING, *LOSING, *NETWORK, *KEEPING, *MACHINE)

__all__ = ["TRIALS", "Row", "Trial"]
