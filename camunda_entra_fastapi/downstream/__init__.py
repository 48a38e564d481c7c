"""Tokens for other services."""
