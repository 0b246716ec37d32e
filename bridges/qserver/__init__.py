"""The bridge for clients of bluesky-queueserver: `shotline-qserver-bridge`."""
