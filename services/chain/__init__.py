"""One option chain file worked out: readers for the formats people have, analysis, tables and plots."""
