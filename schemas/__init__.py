"""The vocabulary: what travels between the parts of Strikewire. Imports msgspec, pyarrow and numpy only."""
