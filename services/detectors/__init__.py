"""Detectors: did something happen? One file, one detector; its docstring is its specification.

Each says what it watches, what it emits and when it is silent: before its warm-up, while a view it needs is not ready,
and in every near miss its test names. A good detector is rarely wrong about what happened; whether it matters is the
scanner's business, and whether it pays is a question only its own record out of sample can answer.
"""
