"""Where actions are declared, pulses are created and tasks are described."""
