"""What people and operators write: addresses to return to, variables, tokens to explain."""

import json
import os
import re
from io import StringIO
from pathlib import Path
from typing import Final
from unittest import mock
from urllib.parse import unquote

from hypothesis import strategies as st
from rich.console import Console

from camunda_entra_fastapi.cli.explain.explanation import explain_token, print_explanation
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.runtime import build_runtime
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.sign_in.return_to import ReturnHosts, safe_return_to
from camunda_entra_fastapi.validation.keys import parse_keys
from tests.conftest import FakeClock
from tests.fuzz.engine import Fuzzer
from tests.fuzz.material import as_text, changed, mutated, mutated_text, written
from tests.fuzz.silence import CLIENT_SECRET, SESSION_SECRET, assert_silent, recorded
from tests.tokens import CLIENT_ID, HEADER, ISSUER, NOW, TENANT, jwk, part, signed, token, user_claims

PASSWORD: Final = "planted-password-x7x7x7x7x7"
INNER: Final = "planted-inner-token-x7x7x7x7x7"
VARIABLES: Final = {
    "CAMUNDA_IDENTITY_TYPE": "AZUREAD",
    "CAMUNDA_IDENTITY_ISSUER": ISSUER,
    "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": ISSUER,
    "CAMUNDA_IDENTITY_CLIENT_ID": CLIENT_ID,
    "CAMUNDA_IDENTITY_CLIENT_SECRET": CLIENT_SECRET,
    "CAMUNDA_IDENTITY_AUDIENCE": f"{CLIENT_ID}, api://{CLIENT_ID}",
}
OTHERS: Final = {
    "CAMUNDA_ENTRA_BASE_URL": "https://operate.example.com/app",
    "CAMUNDA_ENTRA_SCOPES": f"openid profile offline_access {CLIENT_ID}/.default",
    "CAMUNDA_ENTRA_SESSION_STORE": f"rediss+sentinel://user:{PASSWORD}@a:26379,b/service/0?ssl_check_hostname=false",
    "CAMUNDA_ENTRA_SESSION_SECRET": f"{SESSION_SECRET}, planted-older-session-secret-of-34",
    "CAMUNDA_ENTRA_SESSION_LIFETIME": "PT8H",
    "CAMUNDA_ENTRA_CLOCK_SKEW": "60",
    "CAMUNDA_ENTRA_ACCEPT_V1_TOKENS": "true",
    "CAMUNDA_ENTRA_ALLOWED_TENANTS": f"{TENANT}",
    "CAMUNDA_ENTRA_ALLOWED_CLIENTS": CLIENT_ID,
    "CAMUNDA_ENTRA_TOKEN_CACHE_SIZE": "10000",
    "CAMUNDA_ENTRA_METADATA_LIFETIME": "3600",
    "CAMUNDA_ENTRA_KEY_RETENTION": "P1D",
    "CAMUNDA_ENTRA_HTTP_PROXY": f"http://user:{PASSWORD}@proxy:3128",
    "CAMUNDA_ENTRA_HTTP_TIMEOUT": "5",
    "CAMUNDA_ENTRA_COOKIE_NAME": "entra_session",
    "CAMUNDA_ENTRA_COOKIE_DOMAIN": "example.com",
    "CAMUNDA_ENTRA_RETURN_TO_HOSTS": "shop.example.net, reports.example.com",
    "CAMUNDA_ENTRA_GROUP_OVERAGE": "graph",
    "CAMUNDA_ENTRA_TENANT_TYPE": "external",
    "CAMUNDA_ENTRA_ALLOW_HTTP": "false",
    "CAMUNDA_ENTRA_SECRETS_DIR": "secrets",
    "CAMUNDA_IDENTITY_ISSUERBACKENDURL": ISSUER,
    "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_CLIENT_ID": CLIENT_ID,
    "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_CLIENT_SECRET": CLIENT_SECRET,
    "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_ISSUER_URI": ISSUER,
}
SECRETS: Final = (CLIENT_SECRET, SESSION_SECRET, "planted-older-session-secret-of-34", PASSWORD)


def leaves_this_site(address: str) -> bool:
    """Whether a browser that follows it may come elsewhere (WHATWG URL, 4.4)."""
    read = re.sub("[\t\n\r]", "", address.strip("".join(map(chr, range(0x21))))).replace("\\", "/")
    return (
        not read.startswith("/")
        or read.startswith("//")
        or bool(set(re.split("[?#]", read)[0].split("/")) & {".", ".."})
    )


def test_return_to(fuzzer: Fuzzer) -> None:
    """However it is written, one comes back to a page of this site, and not to the login pages."""

    def judge(value: str) -> None:
        found = safe_return_to(value, "/auth")
        assert found.isascii()
        assert found.isprintable()
        path = found.partition("?")[0].partition("#")[0]
        for spelling in (found, unquote(path)):
            assert not leaves_this_site(spelling), (value, found)
        assert unquote(path) != "/auth"
        assert not unquote(path).startswith("/auth/")

    valid = (
        "/board?x=1#y",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "/a/../b",
        "/%2f%2fevil",
    )
    others = (
        "/%2e%2e/x",
        "/\tx",
        "\x00//evil",
        "/auth/login",
        "/%61uth/login",
        "/a%00b",
        "/ä?ö",
        "javascript:x",
    )
    fuzzer.run_with_mutants(st.one_of(mutated_text(*valid, *others), st.text(max_size=30)), judge)


def test_return_to_other_hosts(fuzzer: Fuzzer) -> None:
    """However it is written, the host is in the domain or on the list, as Python and browsers read it."""
    hosts = ReturnHosts(
        "https://login.apps.example.com:8443", "apps.example.com", frozenset({"shop.example.net"})
    )

    def judge(value: str) -> None:
        found = safe_return_to(value, "/auth", hosts)
        assert found.isascii()
        assert found.isprintable()
        assert "\\" not in found
        match = re.fullmatch(r"https://([a-z0-9._-]+)(?::(?:443|8443))?(/.*)", found)
        host, path = (match[1], match[2]) if match else ("apps.example.com", found)
        assert host == "shop.example.net" or f".{host}".endswith(".apps.example.com"), (value, found)
        assert not leaves_this_site(path), (value, found)
        assert not unquote(path).startswith("/auth/")

    valid = (
        "https://orders.apps.example.com/board?x=1#y",
        "https://orders.apps.example.com:8443/",
        "https://shop.example.net/x",
        "https://evil.example/.apps.example.com",
        "https://apps.example.com.evil.example/",
        "https://a@orders.apps.example.com:443/%2e%2e/auth/login",
        "https:\\\\xn--a.apps.example.com\t",
    )
    fuzzer.run_with_mutants(mutated_text(*valid), judge)


def test_settings(fuzzer: Fuzzer, tmp_path: Path) -> None:
    """Whatever the variables hold, they make a service, or one error that lists what is wrong."""
    (tmp_path / "secrets").mkdir()
    # No secret in a variable of another kind, which may be quoted: its own value, or none that is secret.
    harmless = [value for value in {*VARIABLES.values(), *OTHERS.values()} if "planted" not in value]
    own = st.sampled_from(tuple((VARIABLES | OTHERS).items())).flatmap(
        lambda pair: st.tuples(st.just(pair[0]), mutated_text(pair[1], *harmless))
    )
    foreign = st.tuples(mutated_text(*OTHERS), mutated_text(*harmless, ""))
    changes = st.lists(st.one_of(own, own, foreign), max_size=3).map(dict)
    good = st.dictionaries(st.sampled_from(tuple(OTHERS)), st.none(), max_size=4).map(
        lambda names: {name: OTHERS[name] for name in names}
    )
    file = mutated("\n".join(f"{name}={value}" for name, value in OTHERS.items()).encode(), b"X='\"\n=\n\n")
    inputs = st.tuples(good, changes, st.one_of(st.just(b""), st.just(b""), file))

    def judge(drawn: tuple[dict[str, str], dict[str, str], bytes]) -> None:
        others, changed_ones, content = drawn
        variables = VARIABLES | others | changed_ones
        # What is no UTF-8 comes as the environment has it: with lone surrogates.
        environment = {
            name: value.replace("\0", "")
            .encode("utf-8", "surrogateescape")
            .decode("utf-8", "surrogateescape")
            for name, value in variables.items()
            if name and "\0" not in name and "=" not in name
        }
        Path(".env").write_bytes(content)
        Path("secrets/CAMUNDA_ENTRA_SESSION_SECRET").write_bytes(content[:100])
        outputs: list[object] = []
        with mock.patch.dict(os.environ, environment, clear=True), recorded() as logged:
            try:
                settings = EntraSettings()
                outputs += [settings, settings.model_dump(mode="json"), settings.model_dump_json()]
                outputs.append(build_runtime(settings, None, FakeClock()).authentication.challenger)
            except SettingsError as error:
                assert_silent([error, error.problems], SECRETS)
                return
        assert_silent([*outputs, *logged], SECRETS)

    fuzzer.run(inputs, judge)


def test_explanations(fuzzer: Fuzzer) -> None:
    """Whatever is pasted is explained, in UTF-8 and in JSON, and not repeated."""
    variables = {name.removeprefix("CAMUNDA_IDENTITY_").lower(): value for name, value in VARIABLES.items()}
    settings = EntraSettings(**variables)
    keys = parse_keys({"keys": [jwk()]})
    claims = user_claims(access_token=INNER, nested={"refresh_token": INNER, "list": ["eyJ" + INNER]})
    odd = st.builds(
        lambda header, payload: signed(part(header), part(payload)),
        changed(dict(HEADER), "crit", "enc", "nonce").map(written),
        changed(claims, "exp", "iat", "auth_time", "pwd_exp", "groups", "_claim_names", "tid").map(written),
    )
    valid = token(claims)
    answer = json.dumps({"token_type": "Bearer", "access_token": valid})
    pasted = (
        "Authorization: Bearer " + valid,
        f'"{valid}"',
        answer,
        CLIENT_SECRET,
        "1.A" + "x" * 40,
        "<saml>",
        "",
    )

    def judge(text: str, *secrets: str) -> None:
        explanation = explain_token(text, settings, keys, NOW)
        printed = StringIO()
        print_explanation(Console(file=printed, width=200), explanation)
        told = json.dumps(explanation.as_json(), allow_nan=False)
        printed.getvalue().encode()
        outputs = (told, printed.getvalue(), explanation.token_input)
        assert_silent(outputs, (CLIENT_SECRET, *text.split("."), *secrets))

    fuzzer.run(odd, lambda text: judge(text, INNER))
    fuzzer.run_with_mutants(
        mutated_text(valid, *pasted), judge
    )  # which may change the names that hide a token


def test_explanations_of_bytes(fuzzer: Fuzzer) -> None:
    """Nothing that is no text at all breaks the explanation."""

    def judge(data: bytes) -> None:
        explanation = explain_token(as_text(data), None, None, NOW)
        json.dumps(explanation.as_json(), allow_nan=False).encode()

    fuzzer.run(st.binary(max_size=300), judge)
