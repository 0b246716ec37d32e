"""The client library for supervisors and the `shotline` command."""
