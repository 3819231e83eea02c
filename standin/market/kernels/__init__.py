"""The compiled loops of the made-up market: one pass over a second's orders, prints and quotes each.

A second at the open has eight hundred prints, for which a call of numpy costs more than its rows. These loops take the
same columns, draw from a stream of their own (`rng.py`) and use elementary functions that are the same on every
processor, so that a seed gives the same bytes everywhere. They decide nothing about a day: the files around them do.
"""
