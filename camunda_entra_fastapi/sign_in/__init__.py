"""Signing in with a browser, as far as it needs no HTTP to browsers."""
