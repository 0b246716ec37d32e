"""What a server tells of itself and its host: facts, the check of the site, the end of its log."""
