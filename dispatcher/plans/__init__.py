"""The dispatcher as host of the pulse queue: its records, its commands, what it is told. Pure."""
