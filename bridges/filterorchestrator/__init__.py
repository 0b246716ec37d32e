"""The bridge for clients of the filter orchestrator: its HTTP, of both generations of routes."""
