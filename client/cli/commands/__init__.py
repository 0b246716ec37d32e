"""The commands of `shotline`, a file a subject."""
