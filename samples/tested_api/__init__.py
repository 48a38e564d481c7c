"""A service and its tests."""
