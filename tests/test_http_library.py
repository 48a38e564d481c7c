"""httpx2 alone, httpx alone, both, and both names for one library."""

import json
import ssl
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import certifi
import httpx
import httpx2
import pytest

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.http_library import errors_named
from camunda_entra_fastapi.remote.http import EntraHttp, tls_context
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving.transport import InProcessTransport

LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
ARRANGEMENTS = {
    "httpx2 alone": "sys.modules['httpx'] = None",
    # What others import is theirs: fastapi-azure-auth asks for httpx2 itself since 5.3.
    "httpx alone": "import fastapi_azure_auth.auth; sys.modules['httpx2'] = None",
    "httpx2 by both names": "import httpx2; httpx2.alias_httpx(); import httpx",
}
PROGRAM = """
import asyncio, json, sys
from importlib import import_module
from fastapi import Depends, FastAPI
from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.http_library import httpx as ours
from camunda_entra_fastapi.testing import EntraEmulator

emulator = EntraEmulator()

async def statuses(*headers):
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client())
    app = FastAPI(dependencies=[Depends(entra.current_user)])
    app.get("/orders")(lambda: [])
    transport = ours.ASGITransport(app)
    async with ours.AsyncClient(transport=transport, base_url="https://orders.example.com") as client:
        return [(await client.get("/orders", headers=each)).status_code for each in headers]

def call(library):
    tokens = []
    def answer(request):
        tokens.append(request.headers["Authorization"])
        return library.Response(401 if len(tokens) % 2 else 200)
    def auth():
        entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client())
        return entra.client_credentials("https://graph.microsoft.com/.default")
    async def ask():
        async with library.AsyncClient(transport=library.MockTransport(answer), auth=auth()) as client:
            return (await client.get("https://api.example.com/")).status_code
    with library.Client(transport=library.MockTransport(answer), auth=auth()) as client:
        statuses = [client.get("https://api.example.com/").status_code, asyncio.run(ask())]
    return [*statuses, len(tokens), isinstance(auth(), library.Auth)]

bearer = {"Authorization": "Bearer " + emulator.token()}
emulator.down()
answers = asyncio.run(statuses(bearer))
emulator.up()
answers += asyncio.run(statuses(bearer, {}))
calls = {name: call(import_module(name)) for name in ("httpx", "httpx2") if sys.modules.get(name, name)}
print(json.dumps([ours.__name__, answers, calls]))
"""


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_either_library_is_enough(arrangement: str) -> None:
    """Requests to Entra and from the local one, and outgoing calls by each library that is there."""
    code = f"import sys; {ARRANGEMENTS[arrangement]}\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ours, answers, calls = json.loads(done.stdout)
    assert ours == ("httpx" if arrangement == "httpx alone" else "httpx2")
    assert answers == [503, 200, 401]
    expected = {"httpx", "httpx2"} if " alone" not in arrangement else {ours}
    assert calls == {name: [200, 200, 4, True] for name in expected}


def test_one_library_is_imported_for_the_service() -> None:
    """httpx costs nobody anything who does not use it, and may still become another name for httpx2."""
    code = """
import sys, fastapi, fastapi_azure_auth.auth
theirs = set(sys.modules)
from camunda_entra_fastapi import CamundaEntra
import httpx2
if "httpx" not in theirs:
    httpx2.alias_httpx()
print("httpx" in theirs or sys.modules["httpx"] is httpx2)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@LIBRARIES
@pytest.mark.parametrize(
    ("error", "fault"),
    [("ConnectError", "unreachable"), ("ReadTimeout", "timeout"), ("InvalidURL", "unreachable")],
)
async def test_a_client_of_either_library_may_fail(library: ModuleType, error: str, fault: str) -> None:
    """The application's own client is of the library that the application has chosen."""

    def fail(_: object) -> object:
        raise getattr(library, error)("no")

    async with library.AsyncClient(transport=library.MockTransport(fail)) as client:
        with pytest.raises(FetchFailed) as caught:
            await EntraHttp(client=client).get_json("https://login.example.com/keys")
    assert caught.value.fault == fault


@LIBRARIES
async def test_a_client_of_either_library_is_used(library: ModuleType) -> None:
    """For keys and tokens alike."""

    def answer(request: httpx.Request) -> object:
        return library.Response(200, json={"method": request.method})

    async with library.AsyncClient(transport=library.MockTransport(answer)) as client:
        http = EntraHttp(client=client)
        assert await http.get_json("https://login.example.com/keys") == {"method": "GET"}
        assert await http.post_form("https://login.example.com/token", {}) == (200, {"method": "POST"})


@LIBRARIES
async def test_a_transport_of_either_library_may_stand_before_the_local_entra(
    entra_emulator: EntraEmulator, library: ModuleType
) -> None:
    """One that counts, records or spoils requests passes on what it was asked, as it was asked."""
    emulator = entra_emulator
    url = f"{emulator.settings().issuer}/.well-known/openid-configuration"

    class Passing(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            answer = await entra.request(request.method, request.url, headers=request.headers)
            return library.Response(answer.status_code, content=answer.content)

    async with emulator.http_client() as entra:
        async with library.AsyncClient(transport=Passing()) as client:
            document = await EntraHttp(client=client).get_json(url)
        assert (await entra.send(library.Request("GET", url))).json() == document
        async with library.AsyncClient(transport=InProcessTransport(emulator, emulator.world)) as client:
            assert await EntraHttp(client=client).get_json(url) == document
            emulator.down()
            with pytest.raises(library.ConnectError):
                await client.get(url)


def test_a_name_that_is_no_library_has_no_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's test may have put something in its place; that hides no error of the other one."""
    monkeypatch.setitem(sys.modules, "httpx", ModuleType("httpx"))
    assert errors_named("HTTPError") == (httpx2.HTTPError,)


def trusted(context: ssl.SSLContext) -> set[str]:
    """The subjects of the authorities."""
    return {str(each["subject"]) for each in context.get_ca_certs()}


def test_trust_does_not_depend_on_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """certifi's authorities, or those of ``SSL_CERT_FILE``, or else of ``SSL_CERT_DIR``."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    public = trusted(tls_context(None, allow_lax_certificates=False))
    assert public == trusted(ssl.create_default_context(cafile=certifi.where()))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trusted(tls_context(None, allow_lax_certificates=False)) == set()
    first, end, _ = certifi.contents().partition("-----END CERTIFICATE-----\n")
    (tmp_path / "one.pem").write_text(first + end, encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "one.pem"))
    assert len(trusted(tls_context(None, allow_lax_certificates=False))) == 1
