"""How requests reach the emulator: over HTTP and TLS, or in the same process."""
