"""Processes of this machine: `shotline up`, the demo, and a Redis of our own."""
