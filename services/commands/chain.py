"""One option chain file worked out: forwards, vols, smiles, indices, dealer exposure."""

from services.chain.command import EXAMPLE, add_arguments, run

__all__ = ["EXAMPLE", "add_arguments", "run"]
