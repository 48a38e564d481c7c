"""A small Operate; see README.md."""
