"""What writes documents from the code, for developers; `make schema` runs it."""
