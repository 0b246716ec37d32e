"""Broker and dispatcher in one process."""
