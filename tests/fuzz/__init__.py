"""Mutants of every message and command, through the codec and the live sockets of all daemons."""
