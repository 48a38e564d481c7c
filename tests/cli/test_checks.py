"""The checks' results for a service and an Entra that do not work."""

import httpx2
import pytest

from camunda_entra_fastapi.cli.checks import run_checks
from camunda_entra_fastapi.testing import EntraEmulator


def actual_results(response: httpx2.Response | Exception) -> list[str]:
    """What came in each check when every request has this response."""

    def handle(_: httpx2.Request) -> httpx2.Response:
        if isinstance(response, Exception):
            raise response
        return response

    with httpx2.Client(transport=httpx2.MockTransport(handle), base_url="http://localhost:8000") as client:
        results = list(run_checks(client, EntraEmulator()))
    assert not any(result.passed for result in results)
    assert all(result.description == f"{result.actual} (expected: {result.expected})" for result in results)
    return [result.actual for result in results]


def test_nobody_there_fails_every_check() -> None:
    """Each check fails by itself; none is left out."""
    assert actual_results(httpx2.ConnectError("refused")) == ["no proper answer: refused"] * 10


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '{"detail": "Not Found"}', '{"detail": {}}'])
def test_a_refusal_without_a_code_is_called_that(body: str) -> None:
    """Whatever the body is, the result has the status, and nothing breaks."""
    *_, last = actual = actual_results(httpx2.Response(418, text=body))
    assert len(actual) == 10
    assert last == "418 without a code"


def test_an_outage_of_entra_is_seen_by_who_signs_in() -> None:
    """User and application get no token, and the results say why."""
    emulator = EntraEmulator()
    emulator.down()
    service = httpx2.Response(
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

    def handle(request: httpx2.Request) -> httpx2.Response:
        return (
            service
            if request.url.path == "/openapi.json"
            else httpx2.Response(503, text="Service unavailable")
        )

    with httpx2.Client(transport=httpx2.MockTransport(handle), base_url="http://localhost:8000") as client:
        reader, _, application, *_ = run_checks(client, emulator)
    assert reader.actual == "the sign-in page (503) has no button with the name Ben Reader"
    assert application.actual.startswith("no proper answer: Server error '503")


def results_of(responses: dict[str, httpx2.Response]) -> dict[str, str]:
    """What came from a service with these responses; other paths are 404."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        return responses.get(request.url.path, httpx2.Response(404, json={}))

    with httpx2.Client(transport=httpx2.MockTransport(handle), base_url="http://localhost:8000") as client:
        return {each.name: each.actual for each in run_checks(client, EntraEmulator())}


BUTTON = '<form action="/press"><button name="user" value="1">Ben Reader</button></form>'


@pytest.mark.parametrize(
    ("responses", "actual"),
    [
        ({"/press": httpx2.Response(200, text="wait")}, "the sign-in page did not send us back (200)"),
        (
            {
                "/press": httpx2.Response(302, headers={"Location": "/back"}),
                "/back": httpx2.Response(403, text="no"),
            },
            "403 of /back",
        ),
        (
            {
                "/press": httpx2.Response(302, headers={"Location": "/back"}),
                "/back": httpx2.Response(200, text="Hello Ben Reader"),
            },
            "greets Ben Reader",
        ),
    ],
)
def test_a_page_that_does_not_greet_is_reported(responses: dict[str, httpx2.Response], actual: str) -> None:
    """The result says what came instead; a page without a redirect to the sign-in means still signed in."""
    results = results_of({"/": httpx2.Response(200, text=BUTTON)} | responses)
    assert results["Ben Reader opens the page and signs in"] == actual
    assert results.get("Ben Reader signs out", "200") == "200"
