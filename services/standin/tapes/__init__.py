"""Recorded days served as if they were live."""
