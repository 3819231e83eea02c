"""The vendor's REST: what is asked, the documents that answer, and the routes that carry them."""
