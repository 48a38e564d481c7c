"""People who are in too many groups for a token to list them, and the Graph that knows."""

import asyncio
import random
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import Depends

from camunda_entra_fastapi import CamundaEntra, EntraUser, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.site import MakeSite, Site, code_of
from tests.waiting import until
from tests.web.login.test_sign_in import a_lot

ADA: Final = "ada00000-0000-4000-8000-000000000001"
NOT_HERS: Final = "00000000-0000-4000-8000-00000000abcd"
GRAPH: Final = "https://graph.microsoft.com/v1.0"


def hers(number: int) -> str:
    """One of the groups that ``a_lot`` puts Ada into."""
    source = random.Random(42)
    return [str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(number + 1)][number]


@pytest.fixture
def looking(make_site: MakeSite, emulator: EntraEmulator) -> Callable[..., Site]:
    """Makes sites with guarded routes, for somebody in 300 groups; keyword arguments are settings."""
    a_lot(emulator, groups=300)

    def make(**settings: Any) -> Site:
        site = make_site(**{"group_overage": "graph"} | settings)
        require, require_any = site.entra.require, site.entra.require_any

        @site.app.get("/in")
        async def member(user: Annotated[EntraUser, Depends(require(groups=[hers(7), hers(299)]))]) -> int:
            return len(user.groups)

        @site.app.get("/out")
        async def stranger(user: Annotated[EntraUser, Depends(require(groups=[hers(7), NOT_HERS]))]) -> int:
            return len(user.groups)

        @site.app.get("/any-in")
        async def any_of(user: Annotated[EntraUser, Depends(require_any(groups=[NOT_HERS, hers(3)]))]) -> int:
            return len(user.groups)

        @site.app.get("/any-out")
        async def none_of(user: Annotated[EntraUser, Depends(require_any(groups=[NOT_HERS]))]) -> int:
            return len(user.groups)

        site.app.include_router(site.entra.forward_auth_router())
        return site

    return make


@pytest.fixture
def site(looking: Callable[..., Site]) -> Site:
    """A site that looks groups up."""
    return looking()


async def ask(site: Site, path: str, token: str) -> httpx.Response:
    """A program's request."""
    return await site.browser().http.get(path, headers={"Authorization": f"Bearer {token}"})


def graph_requests(site: Site) -> list[str]:
    """The requests to Graph."""
    return [str(url) for url in site.wire.urls if "graph.microsoft.com" in str(url)]


async def test_graph_tells_what_the_token_cannot(site: Site, emulator: EntraEmulator) -> None:
    """Once for all routes; who is in the groups gets through with all of them, others do not."""
    token = emulator.token(user=ADA)
    for path, status in (("/in", 200), ("/out", 403), ("/any-in", 200), ("/any-out", 403)):
        answer = await ask(site, path, token)
        assert answer.status_code == status, answer.text
        if status == 200:
            assert answer.json() == 300
    assert code_of(await ask(site, "/out", token)) == "group_missing"
    assert code_of(await ask(site, "/any-out", token)) == "permission_missing"
    assert graph_requests(site) == [f"{GRAPH}/me/getMemberObjects"]
    (form,) = [form for form in site.wire.forms if "assertion" in form]
    assert (form["scope"], form["assertion"]) == ("https://graph.microsoft.com/User.Read", token)


async def test_sessions_are_looked_up_as_well(site: Site) -> None:
    """By their refresh token."""
    browser = await site.browser().signed_in()
    assert (await browser.http.get("/in")).json() == 300
    assert (await browser.http.get("/out")).status_code == 403
    assert len(graph_requests(site)) == 1


async def test_gateways_get_the_answer_and_the_list(site: Site, emulator: EntraEmulator) -> None:
    """The header says that it does not hold all 300."""
    token = emulator.token(user=ADA)
    answer = await ask(site, f"/auth/verify?group={hers(5)}", token)
    assert answer.status_code == 200
    assert hers(5) in answer.headers["X-Auth-Request-Groups"] or answer.headers["X-Auth-Request-Incomplete"]
    assert (await ask(site, f"/auth/verify?group={NOT_HERS}", token)).status_code == 403


async def test_a_token_that_lists_its_groups_asks_nobody(site: Site, emulator: EntraEmulator) -> None:
    """Nor does a route that needs no groups."""
    token = emulator.token(user="Ben Reader", groups=[hers(7), hers(299)])
    assert (await ask(site, "/in", token)).json() == 2
    assert (await ask(site, "/out", token)).status_code == 403
    assert graph_requests(site) == []


async def test_groups_are_cached_for_five_minutes(
    site: Site, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """The groups of each user, with any token."""
    for wait, count in ((0, 1), (299, 1), (2, 2)):
        clock.advance(wait)
        assert (await ask(site, "/in", emulator.token(user=ADA))).status_code == 200
        assert len(graph_requests(site)) == count


async def test_fifty_requests_at_once_ask_once(site: Site, emulator: EntraEmulator) -> None:
    """For one person."""
    tokens = [emulator.token(user=ADA, marker=number) for number in range(50)]
    event = site.wire.hang("/getMemberObjects")
    waiting = [asyncio.create_task(ask(site, "/in", token)) for token in tokens]
    await until(lambda: len(graph_requests(site)) == 1)
    waiting.pop().cancel()
    event.set()
    assert {(await each).status_code for each in waiting} == {200}
    assert len(graph_requests(site)) == 1


async def test_nobody_is_taken_for_somebody_else(site: Site, emulator: EntraEmulator) -> None:
    """Also where tokens have no object ID."""
    overage: dict[str, Any] = {"_claim_names": {"groups": "src1"}}
    for number, subject in enumerate(("first", "second", "first"), 1):
        ids = [hers(7), hers(299)] if subject == "first" else [NOT_HERS]
        site.wire.answer("/token", 200, json={"token_type": "Bearer", "expires_in": 60, "access_token": "g"})
        site.wire.answer("/getMemberObjects", 200, json={"value": ids})
        answer = await ask(site, "/in", emulator.token(user=ADA, oid=None, sub=subject, **overage))
        assert answer.status_code == (200 if subject == "first" else 403)
        assert len(graph_requests(site)) == min(number, 2)


async def test_what_is_cached_is_bounded(
    site: Site, emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least recently used user is evicted first."""
    monkeypatch.setattr("camunda_entra_fastapi.downstream.graph.MAX_CACHED", 500)
    overage: dict[str, Any] = {"_claim_names": {"groups": "src1"}}
    people = [str(uuid.UUID(int=number)) for number in range(3)]

    async def come(person: str) -> None:
        token = emulator.token(user=ADA, oid=person, **overage)
        site.wire.answer(
            "/token", 200, json={"token_type": "Bearer", "expires_in": 60, "access_token": person}
        )
        ids = [hers(7), hers(299), *(str(uuid.UUID(int=n)) for n in range(198))]
        site.wire.answer("/getMemberObjects", 200, json={"value": ids})
        assert (await ask(site, "/in", token)).json() == 200

    for number, count in ((0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (1, 4)):
        await come(people[number])
        assert len(graph_requests(site)) == count


PAGES: Final = f"{GRAPH}/me/transitiveMemberOf?$select=id&$top=999"


def in_pages(site: Site, *pages: Any) -> None:
    """Graph tells too many groups page by page."""
    too_many = {"error": {"code": "Directory_ResultSizeLimitExceeded"}}
    site.wire.answer("/getMemberObjects", 400, json=too_many)
    left = list(pages)

    async def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=left.pop(0))

    site.wire.handle("/transitiveMemberOf", page)


async def test_more_than_graph_tells_at_once_come_page_by_page(site: Site, emulator: EntraEmulator) -> None:
    """Graph says where the next page is."""
    next_link = f"{GRAPH}/me/transitiveMemberOf?$skiptoken=x"
    in_pages(
        site,
        {"value": [{"id": hers(7)}], "@odata.nextLink": next_link},
        {"value": [{"id": hers(299)}, {"id": hers(1)}]},
    )
    assert (await ask(site, "/in", emulator.token(user=ADA))).json() == 3
    assert graph_requests(site)[1:] == [PAGES, next_link]


async def test_pages_are_read_from_graph_alone_and_not_for_ever(
    site: Site, emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A next page elsewhere, or one after the hundredth, is Graph's fault."""
    monkeypatch.setattr("camunda_entra_fastapi.downstream.graph.MAX_PAGES", 2)
    again = {"value": [], "@odata.nextLink": PAGES}
    for pages in (
        [{"value": [], "@odata.nextLink": "https://evil.example/v1.0"}],
        [{"value": [], "@odata.nextLink": 1}],
        [again, again],
    ):
        in_pages(site, *pages)
        answer = await ask(site, "/in", emulator.token(user=ADA))
        assert (answer.status_code, code_of(answer)) == (502, "entra_failed")
    assert not [url for url in graph_requests(site) if "evil" in url]


async def test_a_page_that_is_refused_is_told(site: Site, emulator: EntraEmulator) -> None:
    """With Graph's own code."""
    in_pages(site)
    site.wire.answer("/transitiveMemberOf", 403, json={"error": {"code": "Authorization_RequestDenied"}})
    answer = await ask(site, "/in", emulator.token(user=ADA))
    assert (answer.status_code, code_of(answer)) == (403, "groups_not_listed")
    assert "Authorization_RequestDenied" in answer.json()["detail"]["message"]


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (403, {"error": {"code": "Authorization_RequestDenied"}}, (403, "groups_not_listed")),
        (401, {"error": "strange"}, (403, "groups_not_listed")),
        (200, {"value": None}, (502, "entra_failed")),
        (200, {"value": [1]}, (502, "entra_failed")),
        (500, {}, (502, "entra_failed")),
        (429, {}, (503, "entra_throttled")),
    ],
)
async def test_what_graph_does_not_tell_is_no_empty_list(
    site: Site, emulator: EntraEmulator, status: int, document: dict[str, Any], expected: tuple[int, str]
) -> None:
    """Refused with the reason, and asked again the next time."""
    site.wire.answer("/getMemberObjects", status, json=document)
    for _ in range(2):
        answer = await ask(site, "/in", emulator.token(user=ADA))
        assert (answer.status_code, code_of(answer)) == expected
    assert len(graph_requests(site)) == 2


@pytest.mark.parametrize("page", [{}, {"value": {}}, {"value": ["x"]}, {"value": [{"id": 1}]}])
async def test_a_page_that_makes_no_sense_is_no_empty_list(
    site: Site, emulator: EntraEmulator, page: dict[str, Any]
) -> None:
    """It is Graph's fault."""
    in_pages(site, page)
    assert (await ask(site, "/in", emulator.token(user=ADA))).status_code == 502


async def test_consent_that_is_missing_for_graph_is_told(site: Site, emulator: EntraEmulator) -> None:
    """As for any service that is called in somebody's name."""
    said = {"error": "invalid_grant", "error_codes": [65001]}
    site.wire.answer("/token", 400, json=said)
    answer = await ask(site, "/in", emulator.token(user=ADA))
    assert (answer.status_code, code_of(answer)) == (403, "consent_required")


async def test_nobody_is_asked_unless_it_is_set_up(
    looking: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """Then the message says how."""
    site = looking(group_overage="refuse")
    answer = await ask(site, "/in", emulator.token(user=ADA))
    assert (answer.status_code, code_of(answer)) == (403, "groups_not_listed")
    assert "CAMUNDA_ENTRA_GROUP_OVERAGE=graph" in answer.json()["detail"]["message"]
    assert graph_requests(site) == []


async def test_the_retired_endpoint_in_the_token_is_never_asked(site: Site, emulator: EntraEmulator) -> None:
    """Even if a signed token names it."""
    sources = {"src1": {"endpoint": "https://evil.example/getMemberObjects"}}
    token = emulator.token(user=ADA, _claim_names={"groups": "src1"}, _claim_sources=sources)
    assert (await ask(site, "/in", token)).status_code == 200
    assert not [url for url in site.wire.urls if "evil" in str(url)]


@pytest.mark.parametrize(
    ("issuer", "value", "graph"),
    [
        ("https://login.microsoftonline.com", "graph", "https://graph.microsoft.com"),
        ("https://login.microsoftonline.us", "Graph", "https://graph.microsoft.us"),
        ("https://login.partner.microsoftonline.cn", "graph", "https://microsoftgraph.chinacloudapi.cn"),
        ("https://login.microsoftonline.com", "refuse", None),
        ("https://login.microsoftonline.com", "http://127.0.0.1:8400/", "http://127.0.0.1:8400"),
        (
            "https://login.microsoftonline.us",
            "https://dod-graph.microsoft.us",
            "https://dod-graph.microsoft.us",
        ),
    ],
)
def test_every_cloud_has_its_graph(
    emulator: EntraEmulator, issuer: str, value: str, graph: str | None
) -> None:
    """By where it signs in; another address can be given."""
    issuer += f"/{emulator.tenant.id}/v2.0"
    settings = emulator.settings(issuer=issuer, issuer_backend_url=issuer, group_overage=value)
    assert settings.group_overage == graph


def test_what_is_no_graph_is_told_at_start(emulator: EntraEmulator) -> None:
    """And so is a missing proof of who asks."""
    with pytest.raises(SettingsError, match="CAMUNDA_ENTRA_GROUP_OVERAGE is neither refuse nor graph"):
        emulator.settings(group_overage="yes")
    with pytest.raises(SettingsError, match="CAMUNDA_ENTRA_GROUP_OVERAGE needs it"):
        CamundaEntra(emulator.settings(group_overage="graph", client_secret=None))


async def test_people_without_groups_count_in_the_bound_as_well(
    site: Site, emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many they are, the first of them is gone when there is no room for the next (CWE-770)."""
    monkeypatch.setattr("camunda_entra_fastapi.downstream.graph.MAX_CACHED", 10)
    overage: dict[str, Any] = {"_claim_names": {"groups": "src1"}}
    site.wire.answer("/token", 200, json={"token_type": "Bearer", "expires_in": 60, "access_token": "g"})
    site.wire.answer("/getMemberObjects", 200, json={"value": []})
    people = [str(uuid.UUID(int=number)) for number in range(11)]
    for person in (*people, people[-1], people[0]):
        answer = await ask(site, "/in", emulator.token(user=ADA, oid=person, **overage))
        assert code_of(answer) == "group_missing"
    assert len(graph_requests(site)) == 12


@pytest.mark.parametrize(("length", "status"), [(64, 403), (65, 502)])
async def test_an_id_that_is_too_long_for_one_is_no_group(
    site: Site, emulator: EntraEmulator, length: int, status: int
) -> None:
    """A hundred pages of 1 MiB would be kept otherwise; a GUID has 36 characters (RFC 9562, 4)."""
    site.wire.answer("/getMemberObjects", 200, json={"value": ["a" * length]})
    assert (await ask(site, "/in", emulator.token(user=ADA))).status_code == status
