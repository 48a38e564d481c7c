"""One service with fastapi-azure-auth and after its move, side by side, with the same tokens.

The cases are those of fastapi-azure-auth's own suite (tests/single_tenant, tests/multi_tenant and its
websockets, 5.3), in spirit: what is sent, and the status of the answer. The table of
docs/how-to/move/fastapi-azure-auth.md has a row for each, and is compared with what happens.
"""

import ast
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import fastapi_azure_auth
import httpx
import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from camunda_entra_fastapi import EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.site import signing_key
from tests.testing.browsing import claims_of
from tests.tokens import OTHER_TENANT

ROOT: Final = Path(__file__).parents[2]
SAMPLE: Final = "moved_from_fastapi_azure_auth"
PAGE: Final = (ROOT / "docs/how-to/move/fastapi-azure-auth.md").read_text(encoding="utf-8")
MACHINE: Final = {"X-Orders-Key": "a-key-of-a-machine"}
VERSIONS: Final = ("before", "after")


class Wire:
    """Where both services find Entra. A test may answer for the keys."""

    def __init__(self, emulator: EntraEmulator) -> None:
        self.emulator = emulator
        self.keys: dict[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if self.keys is not None and scope["path"].endswith("/keys"):
            await JSONResponse(self.keys)(scope, receive, send)
        else:
            await self.emulator(scope, receive, send)


class Service:
    """One of the two.

    Attributes:
        version: ``before`` or ``after``.
        main: The module with the application.
        security: The module with what guards it.
        emulator: Entra.
        wire: The line to it.
    """

    def __init__(self, version: str, wire: Wire) -> None:
        self.version, self.wire, self.emulator = version, wire, wire.emulator
        self.main: Any = import_module(f"{SAMPLE}.{version}.main")
        self.security: Any = import_module(f"{SAMPLE}.{version}.security")
        self.customers: set[str] = import_module(f"{SAMPLE}.{version}.customers").CUSTOMERS
        self.client = TestClient(self.main.app)

    def token(self, **options: Any) -> str:
        """A good token of somebody who may read orders; options change it."""
        return self.emulator.token(**{"scopes": ["Orders.Read"], "roles": ["Orders.Admin"]} | options)

    def ask(
        self, token: str | None = None, path: str = "/orders", method: str = "GET", **headers: str
    ) -> httpx.Response:
        """An answer to a request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["Authorization"] = f"Bearer {token}"
        return self.client.request(method, path, headers=named)  # type: ignore[return-value]  # it has all of it

    def status(self, *arguments: Any, **options: Any) -> str:
        """Its status."""
        return str(self.ask(*arguments, **options).status_code)

    def socket(self, token: str) -> str:
        """What comes of a WebSocket: what it said, the status of the refusal, or the code that closed it."""
        try:
            with self.client.websocket_connect("/live", headers={"Authorization": f"Bearer {token}"}) as one:
                assert one.receive_text().startswith("hello")
                return "open"
        except WebSocketDisconnect as refused:
            status = getattr(refused, "status_code", None)
            return f"closed, {refused.code}" if status is None else str(status)


@pytest.fixture
def emulator() -> EntraEmulator:
    """A local Entra at Entra's own address, which is the only one that fastapi-azure-auth knows."""
    keys = cycle(signing_key(f"key {number}") for number in range(3))
    return EntraEmulator(base_url="https://login.microsoftonline.com", new_key=lambda: next(keys))


@pytest.fixture
def services(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Service]]:
    """Both, each as its module is imported for the first time; no lifespan has begun."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith(SAMPLE)]:
            monkeypatch.delitem(sys.modules, name)

    for name, value in {
        **emulator.environment(),
        "ORDERS_TENANT_ID": emulator.tenant.id,
        "ORDERS_CLIENT_ID": OPERATE,
        "ORDERS_CLIENT_SECRET": emulator.environment()["CAMUNDA_IDENTITY_CLIENT_SECRET"],
        "ORDERS_DOCS_CLIENT_ID": "docs",
        "ORDERS_MACHINE_KEY": MACHINE["X-Orders-Key"],
        "ORDERS_WAREHOUSE_URL": "https://warehouse.example",
        "ORDERS_WAREHOUSE_SCOPE": f"api://{UNRELATED}/access_as_user",
    }.items():
        monkeypatch.setenv(name, value)
    wire = Wire(emulator)
    monkeypatch.syspath_prepend(str(ROOT / "samples"))
    monkeypatch.setattr(
        "fastapi_azure_auth.openid_config.AsyncClient",
        lambda **_: httpx2.AsyncClient(transport=httpx2.ASGITransport(wire)),
    )
    forget()
    both = {version: Service(version, wire) for version in VERSIONS}
    with ExitStack() as stack:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(wire))
        for entra in (both["after"].security.entra, both["after"].security.partner_entra):
            stack.enter_context(entra.overridden(http_client=client))
        yield both
    forget()


def cut(token: str) -> str:
    """The token with a signature of nobody."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'A' * len(signature)}"


def with_keys(service: Service, keys: list[dict[str, Any]]) -> Service:
    """The service, which finds no other keys."""
    service.wire.keys = {"keys": keys}
    return service


def for_encryption(service: Service) -> Service:
    """The service, which finds a key that signs nothing."""
    return with_keys(service, [{"kty": "RSA", "use": "enc", "kid": "k", "n": "AQAB", "e": "AQAB"}])


def at_start(service: Service) -> str:
    """What happens to a service that starts while Entra is away."""
    service.emulator.down()
    try:
        with service.client:
            return f"starts, {service.status(service.token())}"
    except RuntimeError:
        return "ends"


def overriding(service: Service) -> str:
    """Whether a test's override of the bearer scheme reaches the routes with a role."""
    scheme = service.security.employees if service.version == "before" else service.security.entra.bearer
    who = EntraUser.from_claims({"sub": "s", "roles": ["Orders.Admin"], "scp": "Orders.Read"}, "")
    service.main.app.dependency_overrides[scheme] = lambda: who
    return service.status(path="/orders/1", method="DELETE")


def listed(service: Service) -> str:
    """What OpenAPI says of the route with two kinds of credentials."""
    document = service.client.get("/openapi.json").json()
    security = document["paths"]["/partners/orders"]["get"]["security"]
    assert {"APIKeyHeader"} in [set(each) for each in security]
    return f"{len(security)} entries"


def partner(service: Service, is_customer: bool) -> str:
    """Somebody of another tenant."""
    service.customers.update({OTHER_TENANT} if is_customer else ())
    return service.status(service.token(tenant=OTHER_TENANT), "/partners/orders")


def now() -> int:
    """Seconds since 1970."""
    return int(time.time())


CASES: Final[dict[str, Callable[[Service], str]]] = {
    "good token": lambda s: s.status(s.token()),
    "no header": lambda s: s.status(),
    "another scheme": lambda s: s.status(Authorization="Basic dXNlcjpwYXNz"),
    "malformed token": lambda s: s.status("not.a.token"),
    "no `kid`": lambda s: s.status(s.token(header={"kid": None})),
    "unknown `kid`": lambda s: s.status(s.token(header={"kid": "unknown"})),
    "wrong signature": lambda s: s.status(cut(s.token())),
    "wrong issuer": lambda s: s.status(s.token(iss="https://evil.example/v2.0")),
    "wrong audience": lambda s: s.status(s.token(aud="api://other")),
    "expired an hour ago": lambda s: s.status(s.token(exp=now() - 3600)),
    "expired a second ago": lambda s: s.status(s.token(exp=now() - 1)),
    "`nbf` in an hour": lambda s: s.status(s.token(nbf=now() + 3600)),
    "`iat` in an hour": lambda s: s.status(s.token(iat=now() + 3600)),
    "version 1.0": lambda s: s.status(s.token(version=1)),
    "guest": lambda s: s.status(s.token(user="Gabi Guest")),
    "scope missing": lambda s: s.status(s.token(scopes=["Orders.Write"])),
    "role missing": lambda s: s.status(s.token(roles=["Orders.Reader"]), "/orders/1", "DELETE"),
    "no key published": lambda s: with_keys(s, []).status(s.token()),
    "no usable key": lambda s: for_encryption(s).status(s.token()),
    "scope missing, no usable key": lambda s: for_encryption(s).status(s.token(scopes=["Orders.Write"])),
    "`scp` a list, no usable key": lambda s: for_encryption(s).status(s.token(scp=["Orders.Read"])),
    "Entra away at start": at_start,
    "WebSocket, good token": lambda s: s.socket(s.token()),
    "WebSocket, bad token": lambda s: s.socket(cut(s.token())),
    "scheme overridden": overriding,
    "key instead of a token": lambda s: s.status(path="/partners/orders", **MACHINE),
    "two kinds in OpenAPI": listed,
}
"""The 27 of the suite."""


def shown(service: Service, token: str) -> str:
    """Whether an answer with the whole user repeats the caller's token."""
    return "yes" if token in service.ask(token, "/me").text else "no"


def rotated(service: Service) -> str:
    """A token signed with a key that was published after the service fetched them."""
    service.status(service.token())
    service.emulator.rotate_keys()
    return service.status(service.token())


def left_over(service: Service) -> str:
    """What the line in a lifespan does after the move, and did before."""
    scheme = service.security.employees
    try:
        return "loads" if scheme.openid_config.load_config else "?"
    except AttributeError as error:
        return "raises" if "use lifespan=entra.lifespan" in str(error) else "?"


BEYOND: Final[dict[str, Callable[[Service], str]]] = {
    "`scp` is a list": lambda s: s.status(s.token(scp=["Orders.Read"])),
    "customer's tenant": lambda s: partner(s, is_customer=True),
    "other tenant": lambda s: partner(s, is_customer=False),
    "key beside an expired token": lambda s: s.status(
        s.token(exp=now() - 3600), "/partners/orders", **MACHINE
    ),
    "ID token, no scope asked": lambda s: s.status(s.emulator.id_token(), "/me"),
    "forged guest": lambda s: s.status(cut(s.token(user="Gabi Guest"))),
    "new key since start": rotated,
    "member with `idp`": lambda s: s.status(s.token(idp=f"https://sts.windows.net/{s.emulator.tenant.id}/")),
    "`acr` of a step-up": lambda s: s.status(s.token(acr="c1")),
    "token in the answer of `/me`": lambda s: shown(s, s.token()),
    "`load_config()` left over": left_over,
}
"""What it does not look at."""


def rows(heading: str) -> dict[str, tuple[str, str]]:
    """The table below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines()]
    return {row[0]: (row[1], row[2]) for row in cells if len(row) == 3 and row[0] and "---" not in row[0]}


SUITE: Final = rows("The 27 cases of its suite")
MORE: Final = rows("Beyond its suite")


def test_the_page_has_a_row_for_each_case() -> None:
    """And none that nobody tries."""
    assert len(CASES) == 27
    assert [name for name in SUITE if name != "case"] == list(CASES)
    assert [name for name in MORE if name != "case"] == list(BEYOND)


@pytest.mark.parametrize("case", [*CASES, *BEYOND])
def test_each_row_of_the_page_is_what_happens(case: str, services: dict[str, Service]) -> None:
    """Before and after the move, with the same request."""
    told = (SUITE | MORE)[case]
    answer = (CASES | BEYOND)[case]
    happened = []
    for version in VERSIONS:
        services[version].wire.keys = None
        happened.append(answer(services[version]))
    assert tuple(happened) == told


def test_the_page_counts_its_rows() -> None:
    """How many agree, and how many differ."""
    agree = sum(before == after for name, (before, after) in SUITE.items() if name != "case")
    assert f"{agree} agree, {27 - agree} differ" in " ".join(PAGE.split())


def test_whatever_differs_is_explained() -> None:
    """A row that differs is named in the section that says why."""
    why = PAGE.partition("\n## What differs on purpose\n")[2].partition("\n## ")[0]
    differing = [
        name for name, (before, after) in (SUITE | MORE).items() if name != "case" and before != after
    ]
    assert [name for name in differing if f"*{name}*" not in why] == []


def test_guests_stay_out_with_the_setting(services: dict[str, Service]) -> None:
    """The first line of the page."""
    first = PAGE.partition("\n")[2].strip().partition("\n\n")[0]
    assert "`CAMUNDA_ENTRA_ALLOW_GUESTS=false`" in first
    after = services["after"]
    entra = after.security.entra
    changed = entra.settings.model_copy(update={"allow_guests": False})
    with entra.overridden(changed):
        assert after.status(after.token(user="Gabi Guest")) == "403"
        assert after.status(after.token()) == "200"


@dataclass
class Warehouse:
    """The other service: it tells in whose name it was asked."""

    claims: Callable[[str], dict[str, Any]]

    def client(self, wire: Wire, auth: httpx.Auth | None = None) -> httpx.AsyncClient:
        """A client that reaches it, and Entra."""
        entra = httpx.ASGITransport(wire)

        async def answer(request: httpx.Request) -> httpx.Response:
            if request.url.host == "warehouse.example":
                claims = self.claims(request.headers["authorization"].removeprefix("Bearer "))
                return httpx.Response(200, json={"for": claims["oid"], "audience": claims["aud"]})
            return await entra.handle_async_request(request)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer), auth=auth)


def test_the_warehouse_is_asked_in_the_callers_name(
    services: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On behalf of: the same token exchange, 12 lines shorter."""
    answers = []
    warehouse = Warehouse(claims_of)
    for service in services.values():
        monkeypatch.setattr(
            service.main, "http_client", lambda auth=None: warehouse.client(services["before"].wire, auth)
        )
        answer = service.ask(service.token(user="Ada Admin"), "/orders/1/parcel")
        assert answer.status_code == 200, answer.text
        answers.append(answer.json())
    assert answers[0] == answers[1]
    assert answers[0]["audience"] in (UNRELATED, f"api://{UNRELATED}")


def test_swagger_ui_keeps_the_registration_that_the_application_names(services: dict[str, Service]) -> None:
    """``swagger_ui_init_oauth`` wins, and Swagger UI asks Entra itself."""
    for service in services.values():
        page = service.client.get("/docs").text
        assert '"clientId": "docs"' in page
        flow = service.client.get("/openapi.json").json()["components"]["securitySchemes"][
            "AzureAD_PKCE_single_tenant"
        ]["flows"]["authorizationCode"]
        assert flow["tokenUrl"].startswith("https://login.microsoftonline.com/")


def test_only_what_the_page_names_was_changed() -> None:
    """Whatever is the same in both versions stays the same to the letter."""
    before, after = (ROOT / "samples" / SAMPLE / version for version in VERSIONS)
    assert (before / "customers.py").read_bytes() == (after / "customers.py").read_bytes()
    for function in ("orders", "cancel", "me", "partner_orders", "live"):
        sources = [source_of(folder / "main.py", function) for folder in (before, after)]
        assert sources[0] == sources[1], function
    assert source_of(before / "security.py", "partner_or_machine") == source_of(
        after / "security.py", "partner_or_machine"
    )


def source_of(path: Path, function: str) -> str:
    """The function as its code is, with its decorators."""
    (found,) = (
        node
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef) and node.name == function
    )
    return ast.unparse(found)


def test_the_version_is_the_one_that_the_page_names() -> None:
    """What another one does, nobody has tried."""
    assert f"fastapi-azure-auth {fastapi_azure_auth.__version__}" in PAGE
