"""What every program of ours needs of its process: signals, streams, a loop, children."""
