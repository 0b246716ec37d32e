"""The `shotline` command: what an operator types, and what is shown then. `main` is the program."""
