"""The emulator's sockets and routes: who may come in, what goes out when."""
