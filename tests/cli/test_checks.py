"""What the checks say of a service and an Entra that are not well."""

import httpx
import pytest

from camunda_entra_fastapi.cli.checks import run_checks
from camunda_entra_fastapi.testing import EntraEmulator


def seen_with(answer: httpx.Response | Exception) -> list[str]:
    """What each check saw when every request is answered so."""

    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with httpx.Client(transport=httpx.MockTransport(handle), base_url="http://localhost:8000") as client:
        outcomes = list(run_checks(client, EntraEmulator()))
    assert not any(outcome.passed for outcome in outcomes)
    assert all(outcome.told == f"{outcome.seen} (expected: {outcome.expected})" for outcome in outcomes)
    return [outcome.seen for outcome in outcomes]


def test_nobody_there_fails_every_check() -> None:
    """Each says so for itself; none is left out."""
    assert seen_with(httpx.ConnectError("refused")) == ["no proper answer: refused"] * 9


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '{"detail": "Not Found"}', '{"detail": {}}'])
def test_a_refusal_without_a_code_is_called_that(body: str) -> None:
    """Whatever the body is, the status is told and nothing breaks."""
    *_, last = seen = seen_with(httpx.Response(418, text=body))
    assert len(seen) == 9
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
    assert reader.seen == "the sign-in page (503) has no button with the name Ben Reader"
    assert application.seen.startswith("no proper answer: Server error '503")
