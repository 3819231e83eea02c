"""Benchmarks as ratios that survive a change of machine: every figure stands beside a peer measured in the same run.

A file `bench/*_bench.py` exposes `run() -> list[dict]`: entries as `bench.harness.entry` makes them. Their names stand
in its source, where `--only NAME` looks for them.
"""
