"""The action server: executes actions in worker processes and streams their output."""
