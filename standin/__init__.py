"""A server that speaks Massive.com's WebSocket and REST on loopback, from a seeded market or a recorded tape."""
