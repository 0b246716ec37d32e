"""Recorded answers of a real mdsip server, a server that replays them, and what was recorded."""
