"""Headings of the error page: the fault's name, for each code that can end there."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_OTHER: Final = "This request cannot be answered"

ERROR_TITLES: Final[Mapping[int, str]] = MappingProxyType(
    {
        16000: "This account is of another tenant",
        50011: "The redirect URI is not registered",
        50020: "This account is of another tenant",
        50034: "There is no such account",
        50053: "This account is locked",
        50057: "This account is disabled",
        50059: "The tenant is not named",
        50105: "This account is not assigned to the application",
        50194: "This application is of one tenant alone",
        53003: "A policy does not allow this sign-in",
        70016: "The device has not been confirmed yet",
        500011: "The API is unknown in this tenant",
        500014: "The API is disabled",
        650056: "A permission is missing in the registration",
        700016: "The application is unknown in this tenant",
        7000112: "The application is disabled",
        7000229: "The application is not set up in this tenant",
        70011: "A scope is not right",
        90002: "This tenant does not exist",
        900023: "This is no tenant",
        90094: "Only an administrator can consent to this",
        900144: "A parameter is missing",
        9000411: "A parameter is there twice",
        900971: "No redirect URI is registered",
    }
)


def title_of(code: int) -> str:
    """The heading for the code; a general one for those that seldom reach a page."""
    return ERROR_TITLES.get(code, _OTHER)
