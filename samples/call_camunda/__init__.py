"""A service that calls Camunda; see README.md."""
