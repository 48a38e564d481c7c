"""Tokens and their claims."""
