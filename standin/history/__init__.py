"""A made-up market as the log a gateway would have written of it: history on demand."""
