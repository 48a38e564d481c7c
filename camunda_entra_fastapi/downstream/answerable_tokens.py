"""Tokens for other services whose errors FastAPI answers, whatever application the route is in."""

from dataclasses import dataclass

from camunda_entra_fastapi.downstream.http_auth import TokenSource
from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.web.answerable import answerable
from camunda_entra_fastapi.web.challenges import Challenger


@dataclass(frozen=True, slots=True)
class AnswerableTokens:
    """Another source's tokens; its errors are refusals besides.

    Attributes:
        source: Gives the tokens.
        challenger: Makes the responses.
    """

    source: TokenSource
    challenger: Challenger

    async def get(self) -> str:
        """A token that stays valid for a while."""
        try:
            return await self.source.get()
        except EntraError as error:
            raise answerable(error, self.challenger) from None

    def get_blocking(self) -> str:
        """The same, for callers without an event loop."""
        try:
            return self.source.get_blocking()
        except EntraError as error:
            raise answerable(error, self.challenger) from None

    def invalidate(self, token: str, claims: str | None) -> bool:
        """Drop a token that an API refused; whether to ask for another one."""
        return self.source.invalidate(token, claims)
