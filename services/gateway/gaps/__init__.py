"""What of the feed is missing: the ledger of gaps, and when a silence is one. Pure."""
