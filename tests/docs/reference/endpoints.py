"""The page of endpoints, of the routes of an application with everything, and what each reads and answers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from fastapi import FastAPI
from starlette.routing import Route

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.sign_in.state import MAX_RESTARTS
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.web import asked_url, forward_auth, identity_headers, signed_identity
from camunda_entra_fastapi.web.login.docs_token import MAX_FORM_BYTES
from camunda_entra_fastapi.web.login.parameters import MAX_LOGIN_HINT
from tests.docs.reference.markdown import docstring, generated, prose, table

NAME: Final = "endpoints.md"
INTRODUCTION: Final = """\
# Endpoints

This page lists the endpoints that the package adds to a service, what they read, and what they answer.
`entra.install(app)` adds those for people and for Swagger UI when there is a client secret.
`app.include_router(entra.forward_auth_router())` adds those for gateways.

`/auth` is the [login prefix](settings.md#camunda_entra_login_prefix), and the redirect URI may have
[a path of its own](settings.md#camunda_entra_callback_path). No endpoint is in the OpenAPI document. What is
refused is refused with [a code](codes.md).
"""
QUERIES: Final[Mapping[str, Mapping[str, str]]] = {
    "/auth/login": {
        "return_to": "where to go afterwards: a path of this service, or the address of a page of [an "
        "allowed host](../how-to/run/sibling-hosts.md#links-to-the-login-page); anything else becomes `/`",
        "prompt": "`login`, `select_account` or `consent`, for Entra; others are left out",
        "login_hint": f"who is expected to sign in, at most {MAX_LOGIN_HINT} characters",
        "claims": "what the token must have, as the challenge of `insufficient_claims` has it",
        "again": f"1 to {MAX_RESTARTS}, where the browser begins a sign-in anew by itself: whoever is signed "
        "in meanwhile is sent on to `return_to`",
    },
    "/auth/front-channel-logout": {
        "sid": "the sign-in that is over",
        "iss": "the issuer, if Entra sends it; another one's is 400",
    },
    "/auth/verify": {
        "scope": "a scope that must be there; as often as need be, and all of them",
        "role": "an app role, likewise",
        "group": "a group's object ID, likewise",
        "any_scope": "a scope; one of all `any_…` must be there",
        "any_role": "an app role, likewise",
        "any_group": "a group's object ID, likewise",
        "redirect": "`true`: people who have not signed in get 302 to the login page, programs their 401",
        "token": "`true`: the answer has the access token, a session's as well",
        "authorization": "`true`: the answer has it as `Authorization: Bearer …`, for gateways that only "
        "copy headers",
        "refusal": "`true`: the gateway asks again, for the words of a refusal; what would pass by now "
        "is 503",
        "identity": "the name of a backend; the answer has an identity that is signed for it alone",
    },
    "/auth/health": {
        "keys": "`true`: the answer lists the IDs of Entra's keys, published ones and kept ones"
    },
}
"""What each endpoint reads of the query, beside what Entra sends to the callbacks."""
REMARKS: Final[Mapping[str, str]] = {
    "/auth/login": "It answers 302: authorization code flow with PKCE (S256), `state` and `nonce`.",
    "/auth/login-callback": "Everything is checked, a new session starts, and 303 leads to where the person "
    "wanted to go. Where the sign-in of an answer is gone, a person who is signed in goes on to where it was "
    "to lead, by 303. For others the page begins a sign-in anew, with 400 `login_expired`, which is "
    "what programs get, too. Without any parameter it says that one is signed out.",
    "/auth/me": "The answer has the names, IDs, roles and scopes of the user. Without a user it is 401.",
    "/auth/logout": "It answers 302 to Entra's sign-out. A request of another site is asked about first.",
    "/auth/front-channel-logout": "Register it as *Front-channel logout URL*. With sessions in a cookie it "
    "ends nothing in other browsers, as nothing is kept on the server.",
    "/auth/admin-consent": "It answers 302.",
    "/auth/token": "It answers pages of the same origin alone. The body is a form of at most "
    f"{MAX_FORM_BYTES // 1024} KiB with `grant_type=authorization_code`, `code`, `redirect_uri` and "
    "`code_verifier`. The answer is Entra's, without a refresh token.",
    "/auth/verify": "The answer is 200 for a good bearer token, or else a good session cookie. Otherwise it "
    "is a refusal. A parameter that is not understood is 400, so that a typing error lets nobody in.",
    "/auth/ext-authz/{path}": "The query is the client's, so what is demanded stands in the arguments of "
    "`entra.forward_auth_router(…)`. The answers are those of `/auth/verify`.",
}
ANSWERS: Final[Mapping[str, str]] = {
    identity_headers.USER: "`oid`, the object ID of the person or application; empty where the token has "
    "none",
    identity_headers.TENANT: "`tid`, the tenant of that object; both together are the key to keep data under",
    identity_headers.EMAIL: "the claim of that name, for display",
    identity_headers.PREFERRED_USERNAME: "the claim of that name, for display",
    identity_headers.ROLES: "app roles, separated by commas",
    identity_headers.GROUPS: "object IDs of groups, separated by commas",
    identity_headers.INCOMPLETE: "which of these do not hold everything, separated by commas",
    identity_headers.ACCESS_TOKEN: "the access token, with `token=true`",
    f"{identity_headers.SET_COOKIE}1": "the first renewed cookie, and so on with `-2`",
    signed_identity.IDENTITY: "the signed identity, with `identity=…`",
}
ANSWERS_END: Final = f"""
All but the last three are in every answer of 200, and empty where there is nothing to say. Latin-1 stays
as it is. Anything else is percent-encoded UTF-8, and so are control characters, spaces at either end, `%`,
and commas within a member of a list: split at commas, then percent-decode. A text of more than
{identity_headers.MAX_TEXT:,} characters is left out, and a list ends at {identity_headers.MAX_LIST:,}.
`Cache-Control` is `no-store`, and `Vary` is `Cookie` where no bearer token decided.
"""
ORIGINAL: Final = """
Of the gateway's request, {methods} say which method the original request had, and {uris} say where it
went. They can make an answer stricter, or say where to return to after signing in. They never open a door.
With a cookie domain, `X-Forwarded-Host` says which host was asked for, and `X-Forwarded-Port` its port, as
far as the host is in that domain. Its own pages are of the same origin then, and
[people return to it](../how-to/run/sibling-hosts.md).
"""
MANY: Final = 2
_FOR_GATEWAYS: Final = {"verify", "ext-authz", "identity-keys", "health"}


def page() -> str:
    """The page."""
    return generated("\n".join(_lines()), "the routes that the package adds")


def routes() -> dict[str, Route]:
    """By path the routes that the package adds to an application with everything."""
    emulator = EntraEmulator()
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client())
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    entra.install(app)
    added = [*app.router.routes, *entra.forward_auth_router().routes]
    single = [one for route in added for one in getattr(route, "routes", [route])]
    return {route.path.replace(":path", ""): route for route in single if isinstance(route, Route)}


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    found = routes()
    del found["/auth/ext-authz"]  # the same as the one with a path behind it
    for heading, is_asked in (("For people in a browser", False), ("For gateways and probes", True)):
        yield f"## {heading}\n"
        for path, route in found.items():
            if (path.split("/")[2] in _FOR_GATEWAYS) is is_asked:
                yield from _endpoint(path, route)


def _endpoint(path: str, route: Route) -> Iterator[str]:
    methods = sorted((route.methods or set()) - {"HEAD"})
    first, *others = ["Any method"] if len(methods) > MANY else methods
    yield f"### {first} {path}\n"
    yield f"{prose(docstring(route.endpoint))}\n"
    if path in REMARKS:
        yield f"{prose(REMARKS[path])}\n"
    if path in QUERIES:
        yield table(["query", "meaning"], _rows(QUERIES[path])) + "\n"
    if path == "/auth/verify":
        yield from _verify()
    for method in others:
        yield f"### {method} {path}\n"
        yield f"As `{first} {path}`.\n"


def _verify() -> Iterator[str]:
    methods, uris = map(_named, (forward_auth._METHOD_HEADERS, asked_url.URI_HEADERS))
    yield f"{prose(ORIGINAL.format(methods=methods, uris=uris))}\n"
    yield "An answer of 200 has these headers:\n"
    yield table(["header", "holds"], _rows(ANSWERS)) + "\n"
    yield f"{prose(ANSWERS_END)}\n"


def _named(headers: Iterable[str]) -> str:
    return ", ".join(f"`{header.title()}`" for header in headers)


def _rows(meanings: Mapping[str, str]) -> Iterator[list[str]]:
    return ([f"`{name}`", meaning] for name, meaning in meanings.items())
