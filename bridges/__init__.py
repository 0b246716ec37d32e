"""Daemons that speak a foreign system's wire, so that its unmodified clients work."""
