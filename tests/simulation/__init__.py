"""The real state machines under a virtual clock: delays, broken links, kills; checks at every step.

`world` is clock and network, `daemons` wraps the machines, `redis` is what the journal keeps,
`scenario` draws a shot and its faults from a seed, `checks` knows the invariants and nothing else.
"""
