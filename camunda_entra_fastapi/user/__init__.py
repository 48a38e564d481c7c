"""The user: what a verified token says of who calls."""

from camunda_entra_fastapi.user.user import EntraUser

__all__ = ["EntraUser"]
