"""Talking to Entra: requests, time and locks. Knows nothing of FastAPI."""
