"""Market state that contexts share: the chain store, condition flags, records and hash tables. Pure."""
