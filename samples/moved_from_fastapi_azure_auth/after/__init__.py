"""The service with camunda_entra_fastapi."""
