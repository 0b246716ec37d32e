"""The dispatcher: decides what runs when. Owns tables, runs, queues and the journal."""
