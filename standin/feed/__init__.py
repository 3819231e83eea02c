"""What a market looks like to the emulator, whether made up or played from a tape. Pure."""
