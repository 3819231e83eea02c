"""History through the same pipeline: the log from the warehouse, the run, the comparison, the explanation."""
