"""Authorization headers that were spelled by hand: their senders learn what is wrong with them (row 17)."""

import logging

import pytest
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator
from tests.tokens import part

FORM = "The right form is Authorization: Bearer <token>."
NO_SCHEME = f"The Authorization header has no scheme: write Bearer before the token. {FORM}"
OTHER_SCHEME = f"The Authorization header has another scheme than Bearer, or none. {FORM}"
MISSPELLED = {
    "no scheme": ("{}", "credentials_missing", NO_SCHEME),
    "no scheme, in quotation marks": ('"{}"', "credentials_missing", NO_SCHEME),
    "another scheme": ("Basic {}", "credentials_missing", OTHER_SCHEME),
    "a scheme of its own": ("JWT {}", "credentials_missing", OTHER_SCHEME),
    "a colon": ("Bearer: {}", "credentials_missing", OTHER_SCHEME),
    "all of it in quotation marks": (
        '"Bearer {}"',
        "credentials_missing",
        f"The Authorization header begins with a quotation mark: write it without. {FORM}",
    ),
    "two of them": (
        "Bearer Bearer {}",
        "token_malformed",
        f"The token in the Authorization header begins with the word Bearer: the header has it twice. {FORM}",
    ),
    "two of them, small": (
        "bearer bearer  {}",
        "token_malformed",
        f"The token in the Authorization header begins with the word Bearer: the header has it twice. {FORM}",
    ),
    "a second one with a colon": (
        "Bearer Bearer:{}",
        "token_malformed",
        f"The token in the Authorization header begins with a second Bearer, and a colon. {FORM}",
    ),
    "the token in quotation marks": (
        'Bearer "{}"',
        "token_malformed",
        f"The token in the Authorization header stands in quotation marks. {FORM}",
    ),
    "one quotation mark": (
        "Bearer {}'",
        "token_malformed",
        f"The token in the Authorization header stands in quotation marks. {FORM}",
    ),
    "joined headers": (
        "Bearer {0}, Bearer {0}",
        "token_encrypted",  # so many dots have encrypted ones
        "The token in the Authorization header is followed by a comma: the header holds several values, as "
        f"where two headers were joined. {FORM}",
    ),
    "a line break in it": (
        "Bearer ey {}",
        "token_malformed",
        "The token in the Authorization header has blanks or line breaks in it, as where it was copied from "
        f"several lines. {FORM}",
    ),
}


@pytest.mark.parametrize(("header", "code", "message"), MISSPELLED.values(), ids=MISSPELLED)
@pytest.mark.parametrize("path", ["/me", "/auth/verify", "/auth/me"])
def test_the_refusal_says_what_is_misspelled(
    client: TestClient,
    entra: CamundaEntra,
    emulator: EntraEmulator,
    caplog: pytest.LogCaptureFixture,
    header: str,
    code: str,
    message: str,
    path: str,
) -> None:
    """In words that help; status and code are as for all others (RFC 6750, 3.1), and nothing is repeated."""
    caplog.set_level(logging.INFO)
    token = emulator.token()
    client.app.include_router(entra.forward_auth_router())  # type: ignore[attr-defined]  # it is FastAPI's
    client.app.include_router(entra.login_router())  # type: ignore[attr-defined]
    answer = client.get(path, headers={"Authorization": header.format(token)})
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["code"], detail["message"]) == (401, code, message)
    assert ("error=" in answer.headers["www-authenticate"]) is (code != "credentials_missing")
    (line,) = [text for text in caplog.messages if text.startswith("Request refused")]
    assert message in line
    everything = f"{answer.text} {answer.headers} {caplog.text}"
    assert not [piece for piece in token.split(".") if piece in everything]


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}, {"Authorization": "  "}])
def test_no_header_and_an_empty_one_are_no_misspelling(
    client: TestClient, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
) -> None:
    """Everybody sends such requests, so the log has them at DEBUG alone."""
    caplog.set_level(logging.INFO)
    detail = client.get("/me", headers=headers).json()["detail"]
    assert detail["message"] == "This needs a bearer token from Microsoft Entra ID."
    assert not [text for text in caplog.messages if text.startswith("Request refused")]


def test_the_header_of_the_token_is_called_its_first_part(client: TestClient) -> None:
    """Whoever reads "header" thinks of the one that they have just written."""
    token = f"{part(b'no JSON')}.{part({})}.{part(b'x')}"
    detail = client.get("/me", headers={"Authorization": f"Bearer {token}"}).json()["detail"]
    assert detail["message"] == (
        "This is not a token that Entra issues: it has a first part that is not well-formed JSON in UTF-8."
    )
