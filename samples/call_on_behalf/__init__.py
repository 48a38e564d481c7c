"""A service that calls another one in its user's name; see README.md."""
