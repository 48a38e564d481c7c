"""What lets hypercorn take headers of 32 KB: a setting of its configuration file, without an option."""

h11_max_incomplete_size = 65_536
