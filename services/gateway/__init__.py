"""The gateway: the vendor's feed in, sequenced frames out. `docs/gateway.md` is its map."""
