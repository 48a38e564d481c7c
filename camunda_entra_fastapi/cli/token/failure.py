"""Why there is no token."""


class NoToken(Exception):
    """There is no token; the message says why, and what to do."""
