"""Transports to the emulator: over HTTP and TLS, or in the same process."""
