"""``camunda-entra register``."""
