"""``camunda-entra explain``."""
