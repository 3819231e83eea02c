"""Redis: its client, and the lease by which one gateway at a time has the feed."""
