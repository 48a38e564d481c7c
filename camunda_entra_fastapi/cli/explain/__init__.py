"""What a token is, and what the service makes of it."""
