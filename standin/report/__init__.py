"""The page of stylized facts: the made-up market beside recorded ones."""
