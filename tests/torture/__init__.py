"""The whole chain on real services, killed again and again: `make torture N=20 ARGS="--json --seed 7"`."""
