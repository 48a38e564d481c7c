"""The traffic of days: everything that an application can be asked for, by clients of all kinds."""

import base64
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated, Any, Final

import httpx
from fastapi import Depends

from camunda_entra_fastapi import EntraUser
from camunda_entra_fastapi.downstream.http_auth import BearerAuth
from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.site import ADA, BEN, GABI, HOME, Browser, Site
from tests.testing.browsing import change_application, change_user

DOWNSTREAM: Final = f"{UNRELATED}/access_as_user"
GROUP: Final = "9a0b0000-0000-4000-8000-000000000002"
OVERAGE: Final = {"_claim_names": {"groups": "src1"}, "groups": None}
PAGE: Final = {"Sec-Fetch-Site": "same-origin", "Origin": HOME}
ENDED: Final = 8 * 3600
"""Seconds after which no session is left."""


def give_ada_long_roles(emulator: EntraEmulator) -> None:
    """Her access token is too large for her session's cookies."""
    source = random.Random(19)
    names = tuple(f"R.{source.getrandbits(1000):x}" for _ in range(25))
    change_application(emulator, OPERATE, app_roles=(*emulator.application.app_roles, *names))
    change_user(emulator, ADA, roles={OPERATE: names})


def with_all_routes(site: Site) -> Site:
    """The site with routes that call on, routes that need groups, and what gateways ask."""
    in_their_name = Annotated[httpx.Auth, Depends(site.entra.on_behalf_of(DOWNSTREAM))]
    member = Annotated[EntraUser, Depends(site.entra.require(groups=[GROUP]))]
    fresh = Annotated[EntraUser, Depends(site.entra.require(auth_context="c1"))]

    @site.app.get("/called-on")
    async def call_on(auth: in_their_name) -> bool:
        return bool(auth)

    @site.app.get("/member")
    async def for_members(_: member) -> bool:
        return True

    @site.app.get("/fresh")
    async def for_the_careful(_: fresh) -> bool:
        return True

    site.app.include_router(site.entra.forward_auth_router())
    answer_for_others(site)
    return site


def answer_for_others(site: Site) -> None:
    """Answer in the place of Microsoft Graph, and of Entra where the local one does not know people."""

    async def token(request: httpx.Request) -> httpx.Response:
        if b"on_behalf_of" not in await request.aread():
            return await site.wire.pass_on(request)
        answer = {"token_type": "Bearer", "expires_in": 3600, "access_token": uuid.uuid4().hex}
        return httpx.Response(200, json=answer)

    async def groups(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"value": [GROUP, *(str(uuid.uuid4()) for _ in range(3))]})

    site.wire.handle("/token", token)
    site.wire.handle("/getMemberObjects", groups)


@dataclass
class Traffic:
    """The clients of one site.

    Attributes:
        site: The site.
        source: Where chance comes from; the same in every run.
        statuses: All that was answered.
    """

    site: Site
    app_tokens: BearerAuth
    source: random.Random = field(default_factory=lambda: random.Random(19))
    statuses: set[int] = field(default_factory=set)
    browsers: list[Browser] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """One client without cookies is all programs."""
        self.programs = self.site.browser().http

    async def hour(self) -> None:
        """What happens in an hour."""
        await self.people_with_tokens()
        await self.refusals()
        await self.gateways()
        await self.browsing()
        await self.services()

    async def crowd(self, people: int) -> None:
        """So many people at the same time, each of whom signs in and asks for an identity for a backend."""
        token = self.somebody()
        for number in range(people):
            browser = await self.site.browser().signed_in()
            self.statuses.add(await browser.status("/called-on"))
            await self.ask(f"/auth/verify?identity=backend-{number}", token)

    async def last(self) -> None:
        """One sign-in, and one question of a gateway, after which nobody comes any more."""
        await self.site.browser().signed_in()
        await self.ask("/auth/verify?identity=backend", self.somebody())

    async def ask(self, path: str, authorization: str, **headers: str) -> httpx.Response:
        """A program's request."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.programs.get(path, headers={"Authorization": authorization} | headers)
        self.statuses.add(answer.status_code)
        return answer

    def somebody(self, **claims: Any) -> str:
        """A token never seen, of somebody never seen."""
        emulator, number = self.site.emulator, next(self.numbers)
        claims = {"oid": str(uuid.UUID(int=number)), "sub": f"subject {number}"} | claims
        if self.site.entra.settings.allowed_tenants == ("*",):
            tenant = str(uuid.UUID(int=number, version=4))
            claims |= {"tid": tenant, "iss": emulator.settings().issuer.replace(emulator.tenant.id, tenant)}
        return f"Bearer {emulator.token(**claims)}"

    async def people_with_tokens(self) -> None:
        """New tokens and known ones, at every kind of route; and applications."""
        for _ in range(2):
            token = self.somebody(**OVERAGE)
            for path in ("/api", "/member", "/called-on", "/member", "/api", "/auth/me"):
                await self.ask(path, token)
        await self.ask("/fresh", token)
        application = self.somebody(app_only=True, roles=["Incidents.Read.All"])
        for path in ("/api", "/called-on"):
            await self.ask(path, application)

    async def refusals(self) -> None:
        """Tokens that are refused, of every kind."""
        emulator, number = self.site.emulator, next(self.numbers)
        good = emulator.token(sub=f"refused {number}")
        for token in (
            emulator.token(lifetime=-3600, sub=f"expired {number}"),
            emulator.token(aud=f"api://{number}"),
            emulator.token(iss=f"https://evil.example/{number}"),
            emulator.token(header={"kid": f"invented-{number}"}),
            emulator.token(header={"alg": "none", "x": number}),
            emulator.token(scopes=[], roles=[], sub=f"nothing {number}"),
            good[:-8] + "AAAAAAAA",
            f"not-a-token-{number}",
            f"{number}.." + "a" * 17_000,
        ):
            await self.ask("/api", f"Bearer {token}")
        await self.ask("/api", f"Basic {number}")
        await self.ask("/api", "")

    async def gateways(self) -> None:
        """Questions by query and by path, with identities for several backends, and refused ones."""
        token, number = self.somebody(), next(self.numbers)
        for query in (
            f"?identity=backend-{number}&token=true",
            f"?scope=Scope.{number}&role=R",
            f"?any_scope={'Long.' * 60}{number}",
            f"?unknown={number}",
            "?redirect=true",
        ):
            await self.ask(
                f"/auth/verify{query}", token, X_Forwarded_Uri=f"/{number}", X_Forwarded_Method="GET"
            )
        await self.ask(f"/auth/ext-authz/any/{number}", token)
        await self.ask(f"/auth/verify?identity=backend-{number}", "Bearer x")

    async def browsing(self) -> None:
        """Sign-ins that are begun, finished, renewed and ended, here or by Entra, and forged returns."""
        number = next(self.numbers)
        away = await self.site.browser().open(f"/page?{number}")
        self.statuses.add(away.status_code)
        forged = await self.site.browser().open(f"/auth/login-callback?code=c{number}&state=s{number}")
        self.statuses.add(forged.status_code)
        browser = self.site.browser()
        address = await browser.depart(f"/page?{number}")
        answer = await browser.open(await browser.at_entra(address, (ADA, BEN, GABI)[number % 3], "Accept"))
        assert answer.status_code == 303, answer.text
        self.browsers = [*self.browsers, browser][-3:]
        for each in self.browsers:
            for path in ("/api", "/called-on", "/auth/verify?token=true", "/auth/me"):
                self.statuses.add(await each.status(path))
        if number % 2:
            leaving = self.browsers.pop(0)
            gone = await leaving.http.post("/auth/logout", headers=PAGE)
            self.statuses.add(gone.status_code)
            self.statuses.add(await leaving.status())
        signed_out = await self.programs.get(f"/auth/front-channel-logout?sid={uuid.uuid4()}")
        self.statuses.add(signed_out.status_code)

    async def services(self) -> None:
        """This service's own tokens, one refused with a challenge; and Swagger UI's token endpoint."""
        claims = {"access_token": {"acrs": {"essential": True, "value": f"c{next(self.numbers)}"}}}
        encoded = base64.b64encode(json.dumps(claims).encode()).decode()
        challenge = f'Bearer error="insufficient_claims", claims="{encoded}"'
        answers = iter((httpx.Response(401, headers={"WWW-Authenticate": challenge}), httpx.Response(200)))
        other = httpx.MockTransport(lambda _: next(answers))
        async with httpx.AsyncClient(transport=other, auth=self.app_tokens) as client:
            try:
                await client.get("https://api.example.com/")
            except EntraError:
                self.statuses.add(503)
        form = {
            "grant_type": "authorization_code",
            "code": f"code-{next(self.numbers)}",
            "client_id": OPERATE,
            "redirect_uri": f"{HOME}/docs/oauth2-redirect",
            "code_verifier": "v" * 43,
        }
        for changes in ({}, {"grant_type": "refresh_token", "refresh_token": "r"}, {"code_verifier": ""}):
            answer = await self.programs.post("/auth/token", data=form | changes, headers=PAGE)
            self.statuses.add(answer.status_code)


async def troubled_hour(traffic: Traffic, emulator: EntraEmulator) -> None:
    """Entra is away, then answers nonsense, then asks for patience; whoever has a token goes on."""
    wire = traffic.site.wire
    for trouble in (emulator.down, lambda: wire.answer("/keys", 500), emulator.throttle):
        trouble()
        await traffic.people_with_tokens()
        await traffic.refusals()
        await traffic.services()
        for each in traffic.browsers:
            traffic.statuses.add(await each.status("/called-on"))
        emulator.up()
        emulator.throttle(0)
        wire.heal()
        answer_for_others(traffic.site)
