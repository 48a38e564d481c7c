"""What is said when a store cannot be asked."""

from camunda_entra_fastapi.errors import SessionsUnavailable


def unavailable(failure: str) -> SessionsUnavailable:
    """The one error of a store that is elsewhere.

    Args:
        failure: The failure's name alone: its text may repeat what was sent, passwords included.
    """
    return SessionsUnavailable(
        f"The session store cannot be asked: {failure}. Whether somebody is signed in "
        "cannot be told until it answers again; try again then."
    )
