"""Signing in with a browser, without HTTP to browsers."""
