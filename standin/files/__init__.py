"""Recorded days and truth files on disk, and which market an option names."""
