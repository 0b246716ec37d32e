"""Shotline runs the actions of a fusion pulse. Each code folder of the project is a subpackage."""

__version__ = "0.1.0"
