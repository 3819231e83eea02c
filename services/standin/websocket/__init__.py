"""The vendor's WebSocket: one client's session, who may come in, and events as frames."""
