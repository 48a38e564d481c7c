"""The endpoints of Entra and Graph, how they are used, and what is never sent or printed."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.cli.register import sign_in
from camunda_entra_fastapi.cli.register.clouds import (
    ORGANIZATIONS,
    Cloud,
    check_tenant,
    endpoints_of,
)
from camunda_entra_fastapi.cli.register.graph import GraphError
from camunda_entra_fastapi.testing.directory import CONTOSO
from camunda_entra_fastapi.validation.entra import is_tenant_id
from tests.cli.conftest import run_command
from tests.cli.register.conftest import BASE, graph_with, install_az

ENTRA, GRAPH = "https://login.example.com", "https://graph.example.com"


def test_addresses_of_another_cloud() -> None:
    """Both have options, and scopes have that Graph's URL; the emulator's Graph has the public one's."""
    endpoints = endpoints_of(Cloud.PUBLIC, emulator="", authority=f"{ENTRA}/", graph=f"{GRAPH}/")
    assert (endpoints.authority, endpoints.graph, endpoints.scope) == (ENTRA, GRAPH, GRAPH)
    local = endpoints_of(Cloud.PUBLIC, emulator="http://localhost:8400/", authority="", graph="")
    assert (local.authority, local.graph, local.scope) == (
        "http://localhost:8400",
        "http://localhost:8400",
        "https://graph.microsoft.com",
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"authority": ENTRA}, "--graph is missing"),
        ({"graph": GRAPH}, "--authority is missing"),
        ({"authority": ENTRA, "graph": GRAPH, "emulator": "http://localhost"}, "Give it alone"),
        ({"authority": ENTRA, "graph": "http://graph.example.com"}, "^--graph is plain http"),
        ({"authority": "login.example.com", "graph": GRAPH}, "^--authority is not https or http"),
        ({"emulator": "http://entra.example.com"}, "^--emulator is plain http"),
        ({"emulator": "127.0.0.1:8400"}, "^--emulator is not https or http"),
    ],
)
def test_addresses_that_would_be_no_good(options: dict[str, str], words: str) -> None:
    """A token for Graph is never sent unencrypted over a network."""
    defaults: dict[str, Any] = {"emulator": "", "authority": "", "graph": ""}
    with pytest.raises(ValueError, match=words):
        endpoints_of(Cloud.PUBLIC, **defaults | options)


@pytest.mark.parametrize("tenant", ["", "https://x", "a/b", "a b", "-a", "a?", "x" * 300, "..", "a\n"])
def test_tenants_that_are_none(tenant: str) -> None:
    """They would lead elsewhere in a URL; the option is named."""
    with pytest.raises(ValueError, match=r"^--tenant must be the Directory"):
        check_tenant(tenant)


def test_tenants() -> None:
    """IDs and domains are distinguished."""
    assert is_tenant_id(check_tenant(CONTOSO))
    assert not is_tenant_id(check_tenant("contoso.onmicrosoft.com"))


def test_a_proxy_that_is_none() -> None:
    """In words, without the password in it."""
    ran = run_command(
        "register", "Operate", "--base-url", BASE, "--tenant", CONTOSO, HTTPS_PROXY="nonsense://me:hidden@x:1"
    )
    assert ran.code == 1
    assert "is no URL of a proxy" in ran.error
    assert "hidden" not in ran.error + ran.output


def test_az_without_a_tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is that of the Azure CLI's current tenant."""
    install_az(
        tmp_path,
        monkeypatch,
        f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\necho \'{{"accessToken":"t"}}\'\n',
    )
    assert sign_in.azure_cli_token(ORGANIZATIONS) == "t"
    arguments = (tmp_path / "arguments").read_text()
    assert arguments == "account get-access-token --resource-type ms-graph -o json\n"
    install_az(tmp_path, monkeypatch, "#!/bin/sh\nexit 1\n")
    with pytest.raises(sign_in.NotSignedIn, match=r"no token\. Run az login --allow-no-subscriptions"):
        sign_in.azure_cli_token(ORGANIZATIONS)


def test_az_that_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a broken installation."""
    install_az(tmp_path, monkeypatch, "#!/no/such/interpreter\n")
    with pytest.raises(sign_in.NotSignedIn, match="cannot be run"):
        sign_in.azure_cli_token(CONTOSO)


@pytest.mark.parametrize("token", ["two\\nlines", "t\u00f6ken", "", "x" * 70_000])
def test_tokens_that_are_none_are_not_sent(
    token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An HTTP client would repeat them in its error message."""
    (tmp_path / "answer").write_text(f'{{"accessToken":"{token}"}}')
    install_az(tmp_path, monkeypatch, f"#!/bin/sh\nexec /bin/cat {tmp_path}/answer\n")
    with pytest.raises(sign_in.NotSignedIn) as refused:
        sign_in.azure_cli_token(CONTOSO)
    assert "two" not in str(refused.value)


def test_a_sign_in_that_never_stops_talking() -> None:
    """Entra's responses are bounded, too."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=b" " * 5_000_000))
    with (
        httpx2.Client(transport=transport) as client,
        pytest.raises(GraphError, match=r"e\.example answered with more than can be right"),
    ):
        sign_in.device_code_token(client, "https://e.example/t", "https://g", "c", print)


# Asking again


def test_what_may_have_been_done_is_not_done_twice() -> None:
    """A gateway's time-out says nothing of what was created behind it; changes can be written again."""
    slow, ok = httpx2.Response(504), httpx2.Response(200, json={"id": "x"})
    graph, waited = graph_with(slow, ok)
    with pytest.raises(GraphError, match="status 504"):
        graph.send("POST", "/applications", {}, retry_not_found=True)
    assert waited == []
    for method in ("PATCH", "GET"):
        graph, waited = graph_with(slow, ok)
        assert graph.send(method, "/applications/x", {}) == {"id": "x"}
        assert waited == [1]


def test_pauses_are_bounded() -> None:
    """None is shorter than a second or longer than a minute, and together they end."""
    ok = httpx2.Response(200, json={"id": "x"})
    for retry_after, pause in (("0", 1), ("9999", 60), ("tomorrow", 1)):
        graph, waited = graph_with(httpx2.Response(429, headers={"Retry-After": retry_after}), ok)
        assert graph.get("/x") == {"id": "x"}
        assert waited == [pause]
    graph, waited = graph_with(httpx2.Response(503))
    with pytest.raises(GraphError, match="status 503"):
        graph.get("/x")
    assert sum(waited) == 60
