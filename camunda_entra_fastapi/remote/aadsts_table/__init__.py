"""The codes of Entra and of Azure AD B2C: kind, cause and remedy of each, in our own words.

The codes are those of Learn (Microsoft Entra authentication and authorization error codes) and of the
public list f-bader/EntraID-ErrorCodes, with the meanings of 2025. ``docs/reference/aadsts.md`` is made
of them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from camunda_entra_fastapi.remote.aadsts_table import b2c
from camunda_entra_fastapi.remote.aadsts_table.credentials import CREDENTIALS
from camunda_entra_fastapi.remote.aadsts_table.entra import ENTRA, TOO_MANY_REQUESTS
from camunda_entra_fastapi.remote.aadsts_table.explanation import Explanation, Kind, by_code
from camunda_entra_fastapi.remote.aadsts_table.people import CONSENT, PERSON
from camunda_entra_fastapi.remote.aadsts_table.registration import REGISTRATION
from camunda_entra_fastapi.remote.aadsts_table.tenant import POLICY, SESSION

__all__ = ["B2C_EXPLANATIONS", "EXPLANATIONS", "TOO_MANY_REQUESTS", "Explanation", "Kind", "b2c"]

EXPLANATIONS: Final[Mapping[int, Explanation]] = MappingProxyType(
    by_code(
        {
            Kind.CONSENT: CONSENT,
            Kind.PERSON: PERSON,
            Kind.POLICY: POLICY,
            Kind.SESSION: SESSION,
            Kind.REGISTRATION: REGISTRATION | CREDENTIALS,
            Kind.ENTRA: ENTRA,
        }
    )
)
"""All known AADSTS codes. Others are explained by their OAuth error."""
B2C_EXPLANATIONS: Final[Mapping[int, Explanation]] = MappingProxyType(
    by_code(
        {
            Kind.PERSON: b2c.PERSON,
            Kind.POLICY: b2c.POLICY,
            Kind.SESSION: b2c.SESSION,
            Kind.REGISTRATION: b2c.REGISTRATION,
            Kind.ENTRA: b2c.ENTRA,
        }
    )
)
"""All known AADB2C codes, whose numbers are others than those of AADSTS codes."""
