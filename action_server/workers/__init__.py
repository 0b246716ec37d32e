"""The processes that a server works with: workers, keepers, what an earlier life left of them."""
