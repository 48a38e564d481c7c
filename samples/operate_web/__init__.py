"""A small Operate with web pages; see README.md."""
