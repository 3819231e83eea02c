"""What a market looks like in figures, ours beside what others measured. Pure."""
