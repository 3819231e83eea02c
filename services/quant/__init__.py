"""Option arithmetic: arrays in, arrays out. Pure: no clock, file, socket or environment is read here."""
