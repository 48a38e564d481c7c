"""Entra's endpoints, a module each."""
