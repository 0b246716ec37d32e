"""How a Redis server is reached."""
