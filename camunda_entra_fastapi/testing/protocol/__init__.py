"""Entra's requests, errors, keys and signatures; without side effects."""
