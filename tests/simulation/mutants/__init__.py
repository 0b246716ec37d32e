"""Bugs that are planted in the machines one by one: the simulations must see each of them."""

from typing import Final

from tests.simulation.mutants.dispatcher import DISPATCHER
from tests.simulation.mutants.others import HOSTED, SERVERS
from tests.simulation.mutants.planting import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (*DISPATCHER, *SERVERS, *HOSTED)
