"""Requests to Entra, and values that are refreshed from it. Knows nothing of FastAPI."""
