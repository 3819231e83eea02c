"""The made-up markets by name, a file each; `standin.market.scenario` finds them."""
