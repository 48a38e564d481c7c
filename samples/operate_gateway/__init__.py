"""A gateway in Python, in front of Operate; see README.md."""
