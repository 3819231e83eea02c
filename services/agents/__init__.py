"""The Faust app, and what only it uses."""
