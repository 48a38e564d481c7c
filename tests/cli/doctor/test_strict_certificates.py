"""Behind a proxy that reads TLS with certificates that Python refuses since 3.13."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from starlette.applications import Starlette

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import CONTOSO
from camunda_entra_fastapi.testing.serving.certificates import Tls
from camunda_entra_fastapi.testing.serving.server import serving
from tests.cli.conftest import Ran
from tests.remote.faulty_certificates import (
    Fault,
    both,
    expired,
    faulty_tls,
    nameless,
    none,
    not_critical,
    saying,
    strict,
    usage,
    without,
)

__all__ = ["strict"]

NO_KEY_IDENTIFIER = without(ExtensionOID.AUTHORITY_KEY_IDENTIFIER, of_authority=False)
LIMITED_PATH = x509.UnrecognizedExtension(ExtensionOID.BASIC_CONSTRAINTS, bytes.fromhex("3003020100"))
EMPTY_NAMES = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3000"))


def doctor(run: Callable[..., Ran], tls: Tls, folder: Path, trusted: Tls | None = None, **more: str) -> Ran:
    """What it finds at a server with that certificate, whose authority is in the bundle."""
    bundle = folder / "ca.pem"
    bundle.write_bytes((trusted or tls).authority)
    with serving(Starlette(), tls=tls) as url:
        return run(
            "doctor",
            "--json",
            CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=f"{url}/{CONTOSO}/v2.0",
            CAMUNDA_ENTRA_CA_BUNDLE=str(bundle),
            **more,
        )


def connection(ran: Ran) -> tuple[str, str | None]:
    """State and code of the connection's finding."""
    (found,) = [each for each in ran.json["findings"] if each["name"] == "connection"]
    return found["state"], found.get("code")


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (NO_KEY_IDENTIFIER, "Authority Key Identifier is missing, in the server's certificate | 4.2.1.1"),
        (
            without(ExtensionOID.SUBJECT_KEY_IDENTIFIER, of_authority=True),
            "Subject Key Identifier is missing in an authority's | 4.2.1.2",
        ),
        (
            without(ExtensionOID.KEY_USAGE, of_authority=True),
            "Key Usage is missing in an authority's | 4.2.1.3",
        ),
        (saying(usage(signs_certificates=True)), "Key Usage lets a certificate sign others | 4.2.1.3"),
        (
            without(ExtensionOID.BASIC_CONSTRAINTS, of_authority=True),
            "that signs others lacks the extension Basic Constraints | 4.2.1.9",
        ),
        (
            not_critical(ExtensionOID.BASIC_CONSTRAINTS),
            "Basic Constraints of an authority's certificate is not marked critical | 4.2.1.9",
        ),
        (saying(LIMITED_PATH), "limits the path of a certificate that signs no others | 4.2.1.9"),
        (nameless(of_authority=True), "the name of the issuer is empty | 4.1.2.4"),
        (nameless(of_authority=False), "Subject Alternative Name is not marked critical | 4.1.2.6"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_breaks_rfc_5280_is_named(
    fault: Fault, rule: str, tmp_path: Path, run: Callable[..., Ran]
) -> None:
    """Each row has the section of RFC 5280 (May 2008) that is broken; with the setting all are accepted."""
    tls = faulty_tls(fault)
    ran = doctor(run, tls, tmp_path)
    assert connection(ran) == ("wrong", "certificate_nonconforming")
    found = ran.finding("certificate_nonconforming")
    assert all(words in found["told"] for words in rule.split(" | "))
    assert "CAMUNDA_ENTRA_ALLOW_LAX_CERTIFICATES=true" in found["remedy"]
    assert "CAMUNDA_ENTRA_CA_BUNDLE" not in found["remedy"]
    ran = doctor(run, tls, tmp_path, CAMUNDA_ENTRA_ALLOW_LAX_CERTIFICATES="true")
    assert connection(ran)[0] == "ok"


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (both(NO_KEY_IDENTIFIER, expired), "certificate_time"),
        (saying(EMPTY_NAMES), "certificate_name"),
    ],
)
def test_what_the_setting_would_not_mend_is_told_first(
    fault: Fault, code: str, tmp_path: Path, run: Callable[..., Ran]
) -> None:
    """OpenSSL tells the breach of RFC 5280 alone, before it looks at dates and names."""
    ran = doctor(run, faulty_tls(fault), tmp_path)
    assert connection(ran) == ("wrong", code)
    assert "CAMUNDA_ENTRA_ALLOW_LAX_CERTIFICATES" not in ran.finding(code)["remedy"]


@pytest.mark.usefixtures("strict")
def test_a_breach_without_words_of_ours_is_told_in_those_of_openssl(
    tmp_path: Path, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later versions of OpenSSL may have more rules."""
    monkeypatch.setattr("camunda_entra_fastapi.cli.doctor.strict_certificates._RULES", {})
    told = doctor(run, faulty_tls(NO_KEY_IDENTIFIER), tmp_path).finding("certificate_nonconforming")["told"]
    assert told.endswith("since 3.13: Missing Authority Key Identifier.")


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("fault", [none, NO_KEY_IDENTIFIER])
def test_an_unknown_authority_is_something_else(
    fault: Fault, tmp_path: Path, run: Callable[..., Ran]
) -> None:
    """Whoever has a bundle is told what it lacks; an authority's name with another key is unknown, too."""
    ran = doctor(run, faulty_tls(fault), tmp_path, trusted=faulty_tls(none))
    assert connection(ran) == ("wrong", "certificate_untrusted")
    found = ran.finding("certificate_untrusted")
    assert "CAMUNDA_ENTRA_CA_BUNDLE is set, but" in found["told"]
    assert f"into {tmp_path / 'ca.pem'}, beside those that are there" in found["remedy"]


@pytest.mark.usefixtures("strict")
def test_tokens_are_explained_behind_such_a_proxy(
    emulator: EntraEmulator, tmp_path: Path, run: Callable[..., Ran]
) -> None:
    """``explain`` fetches keys as the service does; without the setting it says why it cannot."""
    tls, bundle = faulty_tls(NO_KEY_IDENTIFIER), tmp_path / "ca.pem"
    bundle.write_bytes(tls.authority)
    token = emulator.token()
    with serving(emulator, tls=tls) as url:
        variables = {
            "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": f"{url}/{CONTOSO}/v2.0",
            "CAMUNDA_ENTRA_CA_BUNDLE": str(bundle),
        }
        without_keys = run("explain", stdin=token, **variables)
        ran = run("explain", stdin=token, **variables, CAMUNDA_ENTRA_ALLOW_LAX_CERTIFICATES="true")
    assert without_keys.code == 1
    assert "Missing Authority Key Identifier" in " ".join(without_keys.output.split())
    assert ran.code == 0
