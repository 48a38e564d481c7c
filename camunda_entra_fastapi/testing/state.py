"""What the emulator remembers between two requests: codes and refresh tokens, bounded."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.scopes import Asked

CODE_LIFETIME: Final = 600
"""Seconds, as Learn says of Entra's codes."""

REFRESH_LIFETIME: Final = 90 * 86_400
SPA_REFRESH_LIFETIME: Final = 86_400
"""Seconds from the sign-in, however often it is renewed (Learn: refresh tokens)."""

MAX_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class SignIn:
    """Somebody signed in for an application, and what the code or refresh token stands for."""

    tenant: Tenant
    client: Application
    user: User
    asked: Asked
    redirect_uri: str
    expires: float
    nonce: str | None = None
    code_challenge: str | None = None
    code_challenge_method: str = "plain"
    redeemed: bool = False


@dataclass(slots=True)
class State:
    """Codes are used once; refresh tokens stay good when a new one is issued, as at Entra."""

    codes: OrderedDict[str, SignIn] = field(default_factory=OrderedDict, repr=False)
    refresh_tokens: OrderedDict[str, SignIn] = field(default_factory=OrderedDict, repr=False)

    def add_code(self, sign_in: SignIn) -> str:
        """A new code for it."""
        return _add(self.codes, f"1.A{secrets.token_urlsafe(60)}", sign_in)

    def add_refresh_token(self, sign_in: SignIn) -> str:
        """A new refresh token for it."""
        return _add(self.refresh_tokens, f"1.R{secrets.token_urlsafe(90)}", sign_in)


def _add(where: "OrderedDict[str, SignIn]", name: str, sign_in: SignIn) -> str:
    while len(where) >= MAX_REMEMBERED:
        where.popitem(last=False)
    where[name] = sign_in
    return name
