"""Rows to numbered frames: the order of the world is decided here, once. Pure."""
