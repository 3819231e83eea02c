"""What the gateway asks for, when, and how it comes back after a loss. Pure."""
