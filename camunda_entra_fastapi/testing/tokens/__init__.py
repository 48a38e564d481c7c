"""Access tokens and ID tokens, and their claims."""
