"""What the checks say of a service and an Entra that are not well."""

import httpx
import pytest

from camunda_entra_fastapi.cli.checks import run_checks
from camunda_entra_fastapi.testing import EntraEmulator


def actual_with(answer: httpx.Response | Exception) -> list[str]:
    """What each check saw when every request is answered so."""

    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with httpx.Client(transport=httpx.MockTransport(handle), base_url="http://localhost:8000") as client:
        results = list(run_checks(client, EntraEmulator()))
    assert not any(result.passed for result in results)
    assert all(result.description == f"{result.actual} (expected: {result.expected})" for result in results)
    return [result.actual for result in results]


def test_nobody_there_fails_every_check() -> None:
    """Each says so for itself; none is left out."""
    assert actual_with(httpx.ConnectError("refused")) == ["no proper answer: refused"] * 10


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '{"detail": "Not Found"}', '{"detail": {}}'])
def test_a_refusal_without_a_code_is_called_that(body: str) -> None:
    """Whatever the body is, the status is told and nothing breaks."""
    *_, last = seen = actual_with(httpx.Response(418, text=body))
    assert len(seen) == 10
    assert last == "418 without a code"


def test_an_outage_of_entra_is_seen_by_who_signs_in() -> None:
    """The person and the application get no token, and say why."""
    emulator = EntraEmulator()
    emulator.down()
    service = httpx.Response(
        200,
        json={
            "components": {
                "securitySchemes": {
                    "Entra": {
                        "flows": {
                            "authorizationCode": {
                                "authorizationUrl": "http://entra.localhost/authorize",
                                "tokenUrl": "http://entra.localhost/token",
                                "scopes": {"openid": ""},
                            }
                        }
                    }
                }
            }
        },
    )

    def handle(request: httpx.Request) -> httpx.Response:
        return (
            service
            if request.url.path == "/openapi.json"
            else httpx.Response(503, text="Service unavailable")
        )

    with httpx.Client(transport=httpx.MockTransport(handle), base_url="http://localhost:8000") as client:
        reader, _, application, *_ = run_checks(client, emulator)
    assert reader.actual == "the sign-in page (503) has no button with the name Ben Reader"
    assert application.actual.startswith("no proper answer: Server error '503")


def results_of(answers: dict[str, httpx.Response]) -> dict[str, str]:
    """What was seen of a service whose paths answer so; the others are 404."""

    def handle(request: httpx.Request) -> httpx.Response:
        return answers.get(request.url.path, httpx.Response(404, json={}))

    with httpx.Client(transport=httpx.MockTransport(handle), base_url="http://localhost:8000") as client:
        return {each.name: each.actual for each in run_checks(client, EntraEmulator())}


BUTTON = '<form action="/press"><button name="user" value="1">Ben Reader</button></form>'


@pytest.mark.parametrize(
    ("answers", "seen"),
    [
        ({"/press": httpx.Response(200, text="wait")}, "the sign-in page did not send us back (200)"),
        (
            {
                "/press": httpx.Response(302, headers={"Location": "/back"}),
                "/back": httpx.Response(403, text="no"),
            },
            "403 of /back",
        ),
        (
            {
                "/press": httpx.Response(302, headers={"Location": "/back"}),
                "/back": httpx.Response(200, text="Hello Ben Reader"),
            },
            "greets Ben Reader",
        ),
    ],
)
def test_a_page_that_does_not_greet_is_told(answers: dict[str, httpx.Response], seen: str) -> None:
    """What came instead is in the line; and who is not asked to sign in again was not signed out."""
    results = results_of({"/": httpx.Response(200, text=BUTTON)} | answers)
    assert results["Ben Reader opens the page and signs in"] == seen
    assert results.get("Ben Reader signs out", "200") == "200"
