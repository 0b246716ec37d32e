"""The past: what is asked about shots that have been, and the file that one shot is kept in."""
