"""The seeded market: a pure, made-up options market, from how days begin to every print and its truth."""
