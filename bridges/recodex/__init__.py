"""The bridge for ReCodEx: its progress messages, and the monitor in the place of its own."""
