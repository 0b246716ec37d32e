"""The real state machines under a virtual clock: delays, broken links, kills; checks at every step.

`world` is clock and network, `daemons` wraps the machines, `scenario` draws a shot and its faults
from a seed, `checks` knows the invariants and nothing else. `storm` has large tables, the real
journal over a failing Redis, and faults that come together; `mutants` are bugs that are planted in
the machines, each of which must be seen. `python -m tests.simulation` runs many seeds.
"""
