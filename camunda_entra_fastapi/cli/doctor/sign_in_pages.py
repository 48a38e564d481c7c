"""The local pages of a sign-in: one redirects to Entra, the other is the redirect URI."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event
from typing import Any, Final, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from camunda_entra_fastapi.cli.doctor.context import refused, wrong
from camunda_entra_fastapi.cli.explain.checks import check_access_token, check_id_token
from camunda_entra_fastapi.cli.explain.decode import DecodedToken
from camunda_entra_fastapi.cli.explain.token_kinds import details_of
from camunda_entra_fastapi.cli.fetching import entra_http, fetch_keys
from camunda_entra_fastapi.cli.findings import Finding, State, is_ok, printable, split_remedy
from camunda_entra_fastapi.errors import EntraRefused, FetchFailed, SignInFailed
from camunda_entra_fastapi.remote.aadsts import read_refusal
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.discovery import Discovery, fetch_discovery
from camunda_entra_fastapi.remote.token_endpoint import Tokens, redeem_code
from camunda_entra_fastapi.runtime import policy_of, provider_of
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.sign_in.exchange import IDENTITY_REMEDY
from camunda_entra_fastapi.sign_in.protocol import (
    Attempt,
    authorization_url,
    check_attempt,
    check_response_issuer,
    single_valued,
)
from camunda_entra_fastapi.validation.entra import missing_identity, scopes_of, texts_of
from camunda_entra_fastapi.web.pages import Page, render

_CLOSE: Final = "You can close this page. The terminal tells what both tokens are."


@dataclass(frozen=True, slots=True)
class SignInAborted(Exception):
    """The sign-in ends here, with this finding."""

    finding: Finding

    @classmethod
    def of(cls, code: str, cause: str, remedy: str) -> Self:
        """Abort with a new finding."""
        return cls(Finding("sign-in", State.WRONG, cause, remedy, code))


class SignInPages:
    """The pages, and the findings of the last sign-in.

    Attributes:
        app: The ASGI application that serves them.
        origin: The origin under which browsers reach them.
        token_url: The public token endpoint, the audience of assertions; the discovered one, once it is.
        done: Set once there are findings.
        findings: What was found.
    """

    def __init__(self, settings: EntraSettings, client: Client, clock: Callable[[], float]) -> None:
        self._settings, self._client, self._clock = settings, client, clock
        self._http = entra_http(settings)
        self._attempt: Attempt | None = None
        self.origin = ""
        self.token_url = settings.token_url
        self.done = Event()
        self.findings: list[Finding] = []
        routes = [Route("/", self._start), Route(settings.callback_path, self._callback)]
        self.app = Starlette(routes=routes)

    @property
    def redirect_uri(self) -> str:
        """The redirect URI of the sign-in."""
        return self.origin + self._settings.callback_path

    async def _start(self, _: Request) -> Response:
        try:
            discovery = await self._discovery()
        except SignInAborted as aborted:
            return self._finish_page([aborted.finding])
        endpoint = discovery.authorization_endpoint or self._settings.authorization_url
        self._attempt = Attempt.begin("login", self.redirect_uri, "/", self._clock())
        extra = {"prompt": "select_account"}
        url = authorization_url(endpoint, self._client.client_id, self._settings.scopes, self._attempt, extra)
        return RedirectResponse(url, 302)

    async def _callback(self, request: Request) -> Response:
        try:
            tokens, attempt = await self._redeem(request)
            return self._finish_page(await self._explain(tokens, attempt))
        except SignInAborted as aborted:
            return self._finish_page([aborted.finding])

    async def _redeem(self, request: Request) -> tuple[Tokens, Attempt]:
        try:
            parameters = single_valued(request.query_params.multi_items())
            state = parameters.get("state", "")
            attempt = check_attempt(self._attempt, "login", state, self._clock())
            discovery = await self._discovery()
            check_response_issuer(
                parameters,
                self._settings.issuer_template,
                required=discovery.names_issuer_in_responses,
            )
        except SignInFailed as error:
            raise SignInAborted(wrong("sign-in", error.message, error.code)) from None
        if "error" in parameters or "code" not in parameters:
            raise SignInAborted(refused("sign-in", read_refusal(parameters)))
        self._attempt = None
        try:
            tokens = await redeem_code(
                self._http,
                discovery.token_endpoint or "",
                self._client,
                code=parameters["code"],
                redirect_uri=attempt.redirect_uri,
                verifier=attempt.verifier,
            )
        except EntraRefused as error:
            raise SignInAborted(refused("sign-in", error.refusal)) from None
        except FetchFailed as failure:
            raise _unreachable(failure) from None
        return tokens, attempt

    async def _explain(self, tokens: Tokens, attempt: Attempt) -> list[Finding]:
        keys = await fetch_keys(self._http, self._settings)
        policy, now = policy_of(self._settings), self._clock()
        findings = [Finding("sign-in", State.OK, "Entra redeemed the code")]
        if tokens.id_token is None:
            raise SignInAborted.of(
                "id_token_missing",
                "Entra gave no ID token.",
                "Let CAMUNDA_ENTRA_SCOPES have openid.",
            )
        id_token_result = check_id_token(
            tokens.id_token, keys, policy, now, nonce=attempt.nonce, access_token=tokens.access_token
        )
        id_token, access_token = map(DecodedToken.decode, (tokens.id_token, tokens.access_token))
        findings += _summarized("ID token", id_token_result.checks, id_token, self._settings)
        access_token_result = check_access_token(tokens.access_token, keys, policy.for_own_sign_ins(), now)
        checks = _graph_token_as_note(access_token_result.checks)
        findings += _summarized("access token", checks, access_token, self._settings)
        is_ours = access_token_result.error is None
        findings += _identity_findings(
            (access_token if is_ours else id_token).claims,
            is_ours=is_ours,
            has_customers=self._settings.tenant_type == "external",
        )
        findings.append(_refresh_token_finding(tokens))
        return findings

    async def _discovery(self) -> Discovery:
        try:
            discovery = await fetch_discovery(self._http, provider_of(self._settings))
        except FetchFailed as failure:
            raise _unreachable(failure) from None
        self.token_url = discovery.browser_token_endpoint or self.token_url
        return discovery

    def _finish_page(self, findings: list[Finding]) -> Response:
        """The last page; the waiting command continues once it is rendered."""
        first = next((each for each in findings if each.state is State.WRONG), None)
        if first is None:
            page = Page("You are signed in", _CLOSE, good=True)
        else:
            page = Page("Something is wrong", first.message, first.remedy, good=False)
        self.findings = findings
        html, headers = render(page)
        self.done.set()
        return HTMLResponse(html, 200 if is_ok(findings) else 400, headers)


def _summarized(
    name: str, checks: Sequence[Finding], token: DecodedToken, settings: EntraSettings
) -> list[Finding]:
    """What is wrong with a token, or one finding that all checks pass, with the token's details."""
    notable = [replace(check, name=name) for check in checks if check.state in (State.WRONG, State.NOTE)]
    if notable:
        return notable
    version = printable(token.text("ver"), 10)
    has_customers = settings.tenant_type == "external"
    details = " ".join(details_of(token, settings.tenant, has_customers=has_customers))
    return [Finding(name, State.OK, f"all {len(checks)} checks pass; version {version}", actual=details)]


def _identity_findings(claims: Mapping[str, Any], *, is_ours: bool, has_customers: bool) -> list[Finding]:
    """Who signed in, by the token that the session's user is made of; ``is_ours``: the access token."""
    if missing := missing_identity(claims, has_customers=has_customers):
        cause = f"The tokens do not say who signed in: they lack {' and '.join(missing)}."
        return [Finding("identity", State.WRONG, cause, IDENTITY_REMEDY, "identity_missing")]
    source = "access token" if is_ours else "ID token"
    findings = [Finding("identity", State.OK, f"the {source} says who signed in")]
    if is_ours and not scopes_of(claims) and not texts_of(claims, "roles"):
        findings.append(
            Finding(
                "access token",
                State.NOTE,
                "It has neither scopes nor roles: it says who signed in, and opens no API as a bearer token.",
                "For signing in alone there is nothing to do. Otherwise, in the Entra admin center, App "
                "registrations > this application, add a scope under Expose an API, or an app role.",
                "no_permissions",
            )
        )
    return findings


def _graph_token_as_note(checks: Sequence[Finding]) -> Sequence[Finding]:
    """A token for Microsoft Graph is a note: signing in works, but the token is not for this API.

    Further checks say nothing about it: only Graph knows what its tokens are.
    """
    of_graph = [replace(check, state=State.NOTE) for check in checks if check.code == "graph_token"]
    return of_graph[:1] or checks


def _refresh_token_finding(tokens: Tokens) -> Finding:
    if tokens.refresh_token is not None:
        return Finding("refresh token", State.OK, "there is one")
    return Finding(
        "refresh token",
        State.NOTE,
        "There is none, so people sign in again every hour or so.",
        "Add offline_access to CAMUNDA_ENTRA_SCOPES.",
        "no_refresh",
    )


def _unreachable(failure: FetchFailed) -> SignInAborted:
    cause, remedy = split_remedy(failure.message)
    return SignInAborted.of(
        failure.code, printable(cause), remedy or "Look above for what is in the way to Entra."
    )
