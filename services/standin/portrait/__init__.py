"""What a market looks like in figures and pictures, ours beside what others measured."""
