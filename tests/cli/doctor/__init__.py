"""``camunda-entra doctor``."""
