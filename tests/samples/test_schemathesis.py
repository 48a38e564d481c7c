"""Schemathesis reads the samples' OpenAPI documents, and holds every answer against them."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import pytest
import schemathesis
from fastapi import Depends, FastAPI, HTTPException
from fastapi.routing import APIRoute
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.python.asgi import shutdown_lifespans

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import UNRELATED
from camunda_entra_fastapi.testing.serving.server import serving

SAMPLES: Final = Path(__file__).parents[2] / "samples"
FOLDERS: Final = ("call_on_behalf", "operate_api", "operate_web", "tested_api")
EXAMPLES: Final = 10
"""Requests that are made up for each operation, beside those that cover the document systematically."""

LEFT_OUT: Final = {
    "allow_header_conformance": "FastAPI has a route for each method, and names that route's own in Allow.",
    "use_after_free": "DELETE resolves an incident, and who asks for it afterwards sees by whom.",
}
"""Checks of Schemathesis that do not fit, and why."""

PAGES: Final = ("content_type_conformance", "response_schema_conformance", "status_code_conformance")
"""Left out besides for the sample with web pages, which says nothing of them in its document."""


@dataclass
class Findings:
    """What Schemathesis did and found."""

    failures: list[str] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    """How often each operation answered with which status, where its method and path were right."""


def explore(
    app: FastAPI, headers: dict[str, str], *left_out: str, makes_up_credentials: bool = False
) -> Findings:
    """All phases of Schemathesis, in process: examples, coverage, fuzzing, and sequences of requests."""
    generation = {
        "deterministic": True,
        "max-examples": EXAMPLES,
        "database": "none",
        "with-security-parameters": makes_up_credentials,
    }
    config = {
        "seed": 1,
        "headers": headers,
        "generation": generation,
        "checks": {name: {"enabled": False} for name in (*LEFT_OUT, *left_out)},
    }
    document = deepcopy(dict(schemathesis.openapi.from_asgi(app.openapi_url or "", app).raw_schema))
    for scheme in document.get("components", {}).get("securitySchemes", {}).values():
        # ``ignored_auth`` looks at no OAuth 2.0 scheme. What is sent is the same (RFC 6750, 2.1).
        assert scheme["type"] == "oauth2"
        scheme |= {"type": "http", "scheme": "bearer"}
    schema = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(config))
    schema.app = app
    found = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.failures.append(str(event))
        if not isinstance(event, events.ScenarioFinished):
            continue
        cases = event.recorder.cases
        for key, interaction in event.recorder.interactions.items():
            assert interaction.response is not None
            case = cases[key].value
            if interaction.request.method == case.operation.method.upper():
                statuses = found.statuses.setdefault(case.operation.label, Counter())
                statuses[interaction.response.status_code] += 1
        for check in (check for checks in event.recorder.checks.values() for check in checks):
            found.checks[check.name] += 1
            if check.status != Status.SUCCESS:
                assert check.failure_info is not None
                found.failures.append(f"{check.name}: {check.failure_info.failure}")
    return found


@pytest.fixture(scope="module")
def emulator() -> Iterator[EntraEmulator]:
    """A local Entra that is served, for the samples call it by HTTP."""
    emulator = EntraEmulator()
    with emulator.serve():
        yield emulator


@contextmanager
def loaded(name: str, **variables: str) -> Iterator[FastAPI]:
    """The application of a sample's module, which was given these variables."""

    def forget() -> None:
        for module in [module for module in sys.modules if module.partition(".")[0] in FOLDERS]:
            del sys.modules[module]

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SAMPLES))
        for variable, value in variables.items():
            patch.setenv(variable, value)
        forget()
        try:
            yield import_module(name).app
        finally:
            forget()
            shutdown_lifespans()


@contextmanager
def archive(emulator: EntraEmulator) -> Iterator[dict[str, str]]:
    """The service behind the office, served; gives the office's own variables."""
    registration = {
        "CAMUNDA_IDENTITY_CLIENT_ID": UNRELATED,
        "CAMUNDA_IDENTITY_AUDIENCE": f"api://{UNRELATED}",
        "CAMUNDA_IDENTITY_CLIENT_SECRET": "",
        "CAMUNDA_ENTRA_ACCEPT_V1_TOKENS": "true",
    }
    variables = emulator.environment() | registration
    with loaded("call_on_behalf.archive", **variables) as app, serving(app) as address:
        yield {"ARCHIVE_URL": address, "ARCHIVE_SCOPE": f"api://{UNRELATED}/access_as_user"}


@pytest.fixture(scope="module", params=["operate_api", "operate_web", "tested_api", "call_on_behalf"])
def sample(request: pytest.FixtureRequest, emulator: EntraEmulator) -> Iterator[FastAPI]:
    """The application of each sample in turn; the web pages are in its document, too."""
    with ExitStack() as stack:
        more = stack.enter_context(archive(emulator)) if request.param == "call_on_behalf" else {}
        app = stack.enter_context(loaded(f"{request.param}.main", **emulator.environment() | more))
        for route in app.routes:
            if isinstance(route, APIRoute) and not route.path.startswith("/docs"):
                route.include_in_schema = True
        yield app


def left_out(app: FastAPI) -> tuple[str, ...]:
    """The checks that do not fit a sample."""
    return PAGES if any(getattr(route, "path", "") == "/" for route in app.routes) else ()


def protected(app: FastAPI) -> set[str]:
    """The operations that the document says need a sign-in."""
    return {
        f"{method.upper()} {path}"
        for path, item in app.openapi()["paths"].items()
        for method, operation in item.items()
        if operation.get("security")
    }


ACCEPTED: Final[dict[str, dict[str, Any]]] = {
    "an administrator": {
        "user": "Ada Admin",
        "scopes": ["Incidents.Read", "Tasks.Read"],
        "roles": ["Operate.Admin", "Tasks.Admin"],
    },
    "somebody without permissions": {"user": "Ben Reader", "scopes": ["access_as_user"]},
    "an application": {"app_only": True, "roles": ["Incidents.Read.All"]},
}


@pytest.mark.parametrize("caller", ACCEPTED)
def test_all_answers_to_whoever_brings_a_token_are_documented(
    sample: FastAPI, emulator: EntraEmulator, caller: str
) -> None:
    """Never 5xx, statuses and bodies as the document says, and nothing of it without the token.

    That is ``ignored_auth``: what a token opened is asked once more without it, and with one made up.
    """
    token = emulator.token(**ACCEPTED[caller])
    found = explore(sample, {"Authorization": f"Bearer {token}"}, *left_out(sample))
    assert found.failures == []
    assert min(found.checks["not_a_server_error"], found.checks["ignored_auth"]) > 0
    assert protected(sample) <= found.statuses.keys()


def refused_tokens(emulator: EntraEmulator) -> dict[str, str]:
    """Tokens that no service accepts, by what is wrong with them (RFC 7519, 4.1; RFC 7515, 5.2)."""
    signing_input = emulator.token().rpartition(".")[0]
    signature = emulator.token(sub="somebody else").rpartition(".")[2]
    return {
        "no token at all": "",
        "no JSON Web Token": "Bearer open-sesame",
        "the signature is another token's": f"Bearer {signing_input}.{signature}",
        "expired": f"Bearer {emulator.token(lifetime=-3600)}",
        "for another API": f"Bearer {emulator.token(aud='api://another')}",
        "of an unknown key": f"Bearer {emulator.token(header={'kid': 'invented'})}",
        "unsigned": "Bearer eyJhbGciOiJub25lIn0.e30.",
        "another scheme": "Basic YWRhOnBhc3N3b3Jk",
    }


@pytest.mark.parametrize("wrong", list(refused_tokens(EntraEmulator(new_key=SigningKey.generate))))
def test_whoever_brings_no_good_token_gets_401_everywhere(
    sample: FastAPI, emulator: EntraEmulator, wrong: str
) -> None:
    """Whatever else is in the request: who is asking is looked at first (RFC 9110, 15.5.2)."""
    header = refused_tokens(emulator)[wrong]
    found = explore(sample, {"Authorization": header} if header else {}, *left_out(sample))
    assert found.failures == []
    statuses = {status for name in protected(sample) for status in found.statuses[name]}
    assert statuses == {401}


def test_made_up_credentials_are_refused_before_anything_else(sample: FastAPI) -> None:
    """What Schemathesis thinks of as a header is no token (401), or no header at all (400; RFC 6750, 3.1)."""
    found = explore(
        sample, {}, "positive_data_acceptance", "status_code_conformance", *PAGES, makes_up_credentials=True
    )
    assert found.failures == []
    statuses = {status for name in protected(sample) for status in found.statuses[name]}
    assert statuses
    assert statuses <= {400, 401}


def test_schemathesis_would_notice(emulator: EntraEmulator) -> None:
    """An open route that says it is not, one that breaks, and one whose answer is none that it names."""
    entra = CamundaEntra(emulator.settings())
    app = FastAPI()
    entra.install(app)
    user = Annotated[EntraUser, Depends(entra.current_user)]

    @app.get("/open", openapi_extra={"security": [{"Entra": []}]})
    async def open_to_all() -> str:
        return "open"

    @app.get("/broken")
    async def broken(_: user) -> str:
        raise HTTPException(500)

    @app.get("/unnamed")
    async def unnamed(_: user) -> dict[str, str]:
        return {}

    app.openapi()["paths"]["/unnamed"]["get"]["responses"].pop("200")
    try:
        found = explore(app, {"Authorization": f"Bearer {emulator.token()}"})
    finally:
        shutdown_lifespans()
    noticed = {each.partition(":")[0] for each in found.failures}
    assert noticed == {"ignored_auth", "not_a_server_error", "status_code_conformance"}
