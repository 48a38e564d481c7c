"""Signing in: the page, the answer to the application, and the errors of both kinds."""

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from camunda_entra_fastapi.testing import Application, Directory, EntraEmulator, Tenant
from camunda_entra_fastapi.testing.directory import BILLING, CONTOSO, OPERATE, UNRELATED
from tests.testing.conftest import CHALLENGE, SPA, WEB, Client


def answer_in(text: str) -> dict[str, str]:
    """The parameters behind the question mark or hash."""
    return {name: values[0] for name, values in parse_qs(text).items()}


async def test_the_page_lists_the_people_and_says_what_it_is(client: Client) -> None:
    """Each user has a button, and the page cannot be taken for Microsoft's."""
    page = await client.authorize()
    assert page.status_code == 200
    for name in ("Ada Admin", "Ben Reader", "Gabi Guest"):
        assert f"<strong>{name}</strong>" in page.text
    assert "Local Entra, not Microsoft" in page.text
    assert '<span class="chip">Guest</span>' in page.text
    assert "Operate.Admin" in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert page.headers["cache-control"] == "no-store"


async def test_a_hint_puts_its_person_first(client: Client) -> None:
    """``login_hint`` is the user principal name."""
    page = await client.authorize(login_hint="ADA@contoso.example")
    assert page.text.index("Ada Admin") < page.text.index("Ben Reader")


async def test_the_answer_is_a_redirect_with_code_and_state(client: Client) -> None:
    """302 with code, state and session_state in the query."""
    answer = await client.sign_in()
    target = urlsplit(answer.headers["location"])
    assert (answer.status_code, target.path) == (302, "/auth/login-callback")
    found = answer_in(target.query)
    assert list(found) == ["code", "state", "session_state"]
    assert found["state"] == "a state"


async def test_client_info_says_where_an_account_is_at_home(client: Client) -> None:
    """Microsoft's clients ask for it, here and at the token endpoint."""
    answer = await client.sign_in("Gabi Guest", client_info="1")
    found = answer_in(urlsplit(answer.headers["location"]).query)
    assert list(found) == ["code", "client_info", "state", "session_state"]
    client_info = json.loads(base64.urlsafe_b64decode(found["client_info"] + "=="))
    assert client_info == {
        "uid": "6ab10000-0000-4000-8000-000000000003",
        "utid": "fab00000-1111-4222-8333-444455556666",
    }
    redeemed = (await client.redeem_code(code=found["code"], client_info="1")).json()
    assert list(redeemed)[-1] == "client_info"
    assert redeemed["client_info"] == found["client_info"]


async def test_the_answer_may_come_in_the_fragment(client: Client) -> None:
    """``response_mode=fragment``; without a state none comes back."""
    answer = await client.sign_in(response_mode="fragment", state=None)
    target = urlsplit(answer.headers["location"])
    assert not target.query
    assert list(answer_in(target.fragment)) == ["code", "session_state"]


async def test_the_answer_may_be_posted(client: Client) -> None:
    """``response_mode=form_post``; what came from outside is escaped."""
    page = await client.sign_in(response_mode="form_post", state='"><script>alert(1)</script>')
    assert page.status_code == 200
    assert f'action="{WEB}"' in page.text
    assert "<script>alert" not in page.text
    assert 'name="code"' in page.text


async def test_a_redirect_uri_may_be_left_out(client: Client) -> None:
    """Entra takes a registered one."""
    answer = await client.sign_in(redirect_uri=None)
    assert answer.headers["location"].startswith(WEB)


@pytest.mark.parametrize("port", [1, 8000, 54321])
async def test_for_localhost_any_port_will_do(client: Client, port: int) -> None:
    """Learn: the port of a localhost redirect URI is ignored."""
    uri = f"http://localhost:{port}/auth/login-callback"
    assert (await client.sign_in(redirect_uri=uri)).headers["location"].startswith(uri)


ON_THE_PAGE: list[tuple[dict[str, Any], int]] = [
    ({"client_id": None}, 900144),
    ({"client_id": "11111111-0000-4000-8000-000000000000"}, 700016),
    ({"client_id": f"api://{OPERATE}"}, 700016),
    ({"client_id": BILLING}, 900971),
    ({"redirect_uri": WEB + "/"}, 50011),
    ({"redirect_uri": "http://127.0.0.1:9999/auth/login-callback"}, 50011),
    ({"redirect_uri": "https://localhost:8000/auth/login-callback"}, 50011),
    ({"redirect_uri": "https://evil.example/"}, 50011),
    ({"redirect_uri": "http://[x"}, 50011),
    ({"redirect_uri": "http://localhost:8000@evil.example/auth/login-callback"}, 50011),
    ({"redirect_uri": "http://ada@localhost:8000/auth/login-callback"}, 50011),
    ({"redirect_uri": "http://localhost:8000.evil.example/auth/login-callback"}, 50011),
    ({"redirect_uri": "http://localhost:999999/auth/login-callback"}, 50011),
    ({"redirect_uri": WEB + "#x"}, 50011),
    ({"redirect_uri": WEB + "\n"}, 50011),
]


@pytest.mark.parametrize(("changes", "code"), ON_THE_PAGE)
async def test_errors_that_stay_on_the_page(client: Client, changes: dict[str, Any], code: int) -> None:
    """Until client and redirect URI are known, the browser is sent nowhere."""
    page = await client.authorize(**changes)
    assert (page.status_code, "location" in page.headers) == (200, False)
    assert f"AADSTS{code}" in page.text


async def test_the_page_has_the_ids_for_support(client: Client) -> None:
    """The trace ID that people read is the one in the headers, as is the code."""
    page = await client.authorize(redirect_uri="https://evil.example/")
    assert page.headers["x-ms-request-id"] in page.text
    assert page.headers["x-ms-clitelem"] == "1,50011,0,,"


async def test_what_came_from_outside_is_escaped_on_the_page(client: Client) -> None:
    """A redirect URI is shown, never run."""
    page = await client.authorize(redirect_uri="<script>alert(1)</script>")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


async def test_the_page_names_what_is_registered(client: Client) -> None:
    """A redirect URI that differs by a slash is found at once."""
    page = await client.authorize(redirect_uri=WEB + "/")
    listed = re.findall("<li><code>(.*?)</code>", page.text)
    assert listed[0] == WEB
    assert listed[-1].partition("/auth")[0] != WEB.partition("/auth")[0]
    assert "<h1>The redirect URI is not registered</h1>" in page.text


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0.0.0.0"])
async def test_whoever_opened_this_machine_by_number_is_told_its_name(client: Client, host: str) -> None:
    """uvicorn prints 127.0.0.1, and only localhost is free in its port (Learn: reply URLs)."""
    page = await client.authorize(redirect_uri=f"http://{host}:8001/auth/login-callback")
    assert "Open http://localhost:8001 instead" in page.text
    page = await client.authorize(redirect_uri=f"http://{host}:8001/elsewhere")
    assert "localhost:8001" not in page.text
    assert "Add this URI to the application in the directory" in page.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example"])
async def test_no_foreign_address_is_recommended(client: Client, host: str) -> None:
    """Only this machine has another name."""
    page = await client.authorize(redirect_uri=f"http://{host}/auth/login-callback")
    assert "instead" not in page.text


@pytest.mark.parametrize(("tenant", "code"), [("nowhere", 90002), ("common", 50194)])
async def test_errors_of_the_tenant_stay_on_the_page(client: Client, tenant: str, code: int) -> None:
    """Without a tenant there is no redirect URI to send them to."""
    client.tenant = tenant
    assert f"AADSTS{code}" in (await client.authorize()).text


async def test_a_parameter_given_twice_stays_on_the_page(client: Client) -> None:
    """Which one counts would be a guess."""
    page = await client.http.get(f"/{client.tenant}/oauth2/v2.0/authorize?client_id=a&client_id=b")
    assert "AADSTS9000411" in page.text


TO_THE_APPLICATION: list[tuple[dict[str, Any], str, int]] = [
    ({"response_type": None}, "invalid_request", 900144),
    ({"response_type": "id_token", "response_mode": "query"}, "unsupported_response_type", 700054),
    ({"response_type": "pigeon", "response_mode": "query"}, "unsupported_response_type", 700051),
    ({"resource": "x"}, "invalid_request", 901002),
    ({"response_mode": "pigeon"}, "invalid_request", 70007),
    ({"scope": None}, "invalid_request", 900144),
    ({"scope": "api://nobody/x"}, "invalid_resource", 500011),
    ({"scope": f"api://{OPERATE}/access_as_user"}, "invalid_request", 90009),
    ({"scope": f"User.Read {UNRELATED}/nope"}, "invalid_scope", 70011),
    ({"redirect_uri": SPA}, "invalid_request", 9002325),
    ({"code_challenge": "short"}, "invalid_request", 50147),
    ({"code_challenge": CHALLENGE, "code_challenge_method": "S512"}, "invalid_request", 501491),
    ({"prompt": "none"}, "login_required", 50058),
]


@pytest.mark.parametrize(("changes", "error", "code"), TO_THE_APPLICATION)
async def test_errors_that_are_sent_to_the_redirect_uri(
    client: Client, changes: dict[str, Any], error: str, code: int
) -> None:
    """The redirect is in Entra's spelling: lower-case escapes, and state last."""
    answer = await client.authorize(**changes)
    query = urlsplit(answer.headers["location"]).query
    found = answer_in(query)
    assert list(found) == ["error", "error_description", "error_uri", "state"]
    assert found["error"] == error
    assert found["error_description"].startswith(f"AADSTS{code}: ")
    assert "%3a+" in query


async def test_errors_without_a_state(client: Client) -> None:
    """Nothing is invented."""
    answer = await client.authorize(scope=None, state=None)
    assert "state" not in answer_in(urlsplit(answer.headers["location"]).query)


async def test_a_person_who_is_not_there(client: Client) -> None:
    """A made-up account gives no code."""
    page = await client.authorize()
    answer = await client.http.post(page.request.url, data={"user": "eve"})
    assert "AADSTS50034" in answer.text


async def test_a_redirect_uri_with_a_query_keeps_it() -> None:
    """The answer is added behind it."""
    web = Application(BILLING, "Web", ("s",), {"https://x.example/cb?a=1": "web"}, scopes=("x",))
    from camunda_entra_fastapi.testing import User

    tenant = Tenant(CONTOSO, "T", "t.example", (User("ada", "Ada"),), (web,))
    emulator = EntraEmulator(directory=Directory((tenant,)))
    async with emulator.http_client() as http:
        changes = {
            "client_id": BILLING,
            "redirect_uri": "https://x.example/cb?a=1",
            "scope": "openid",
        }
        answer = await Client(http, CONTOSO).sign_in("Ada", **changes)
    assert answer.headers["location"].startswith("https://x.example/cb?a=1&code=")
