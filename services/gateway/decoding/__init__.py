"""Vendor events to columns of the lanes: bytes or messages in, rows out. Pure."""
