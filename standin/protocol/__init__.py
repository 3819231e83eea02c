"""The vendor's protocol as the emulator speaks it: sessions, events as frames, REST documents. Pure."""
