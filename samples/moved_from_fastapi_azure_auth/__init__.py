"""One service twice: as it was with fastapi-azure-auth, and after its move."""
