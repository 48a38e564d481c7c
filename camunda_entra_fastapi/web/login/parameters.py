"""Parameters of the login page: what a link to it may ask Entra for."""

from typing import Final

from starlette.requests import Request

from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.sign_in.state import MAX_RESTARTS
from camunda_entra_fastapi.sign_in.step_up import decode_claims, digest_of_claims

MAX_LOGIN_HINT: Final = 256
_PROMPTS: Final = ("login", "select_account", "consent")


def extra_parameters(request: Request) -> dict[str, str]:
    """Parameters for Entra that a link to the login page may have (Learn: authorization code flow)."""
    parameters = {}
    prompt, login_hint = request.query_params.get("prompt"), request.query_params.get("login_hint", "")
    if prompt in _PROMPTS:
        parameters["prompt"] = prompt
    if 0 < len(login_hint) <= MAX_LOGIN_HINT and login_hint.isprintable() and prompt != "select_account":
        parameters["login_hint"] = login_hint
    return parameters


def step_up_claims(request: Request) -> tuple[dict[str, str], str]:
    """The claims that a link to the login page asks for, and their digest."""
    values = request.query_params.getlist("claims")
    claims = decode_claims(values[0]) if len(values) == 1 else None
    return ({}, "") if claims is None else ({"claims": claims_parameter(claims)}, digest_of_claims(values[0]))


def restarts_of(request: Request) -> int:
    """How many sign-ins the browser has begun anew by itself, with this one; 0 where somebody wanted it."""
    value = request.query_params.get("again", "")
    return int(value) if value in map(str, range(1, MAX_RESTARTS + 1)) else 0
