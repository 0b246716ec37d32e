"""Hosts the machine of alarms in the dispatcher: `host` is its face. Pure."""
