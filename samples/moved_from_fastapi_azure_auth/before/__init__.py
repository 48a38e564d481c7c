"""The service with fastapi-azure-auth."""
