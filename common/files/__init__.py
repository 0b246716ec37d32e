"""Files of our own: who may read them."""
