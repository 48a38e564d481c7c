"""Access tokens for other services: of this application, or on behalf of a user."""
