"""What a site configures: its sections, the file that they stand in, and what is wrong with it."""
