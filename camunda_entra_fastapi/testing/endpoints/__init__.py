"""Entra's endpoints, a file each."""
