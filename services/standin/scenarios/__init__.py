"""The made-up markets by name, a file each; `services.standin.scenario` finds them."""
