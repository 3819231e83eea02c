"""The made-up markets by name, a file each; `services.standin.market.scenario` finds them."""
