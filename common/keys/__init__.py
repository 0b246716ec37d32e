"""Keys of the broker and its peers: who has which, and what they are for."""
