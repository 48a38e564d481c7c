"""Requests, errors, keys and signatures as Entra has them; pure."""
