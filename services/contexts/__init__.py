"""Contexts: what is the state of the market? One context, one view.

A context reads the log's rows, keeps bounded state in numpy records, and answers with a frozen view: numbers with their
unit in the name, a stance, a confidence between 0 and 1, and a reason when it is not ready. A good context says when it
does not know: an index without volume has no VWAP, a print between bid and ask has no side.

A context is a file, or a folder when it needs helpers: its compiled kernels and the state they take.
"""
