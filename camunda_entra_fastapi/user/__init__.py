"""The user of a request, from a verified token."""

from camunda_entra_fastapi.user.user import EntraUser

__all__ = ["EntraUser"]
