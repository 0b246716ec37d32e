"""The fleet: what servers are set to and what follows, maintenance windows, what is expected.

A pure machine that the dispatcher hosts (`dispatcher/steering`), as it hosts the pulse queue. Who
gets which action is the dispatcher's business (`dispatcher/fleet`), which asks here only how many
slots of a server may be used.
"""
