"""What can be told of a component's configuration without asking anybody. Pure."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from camunda_entra_fastapi.cli.doctor.component import (
    CONNECT,
    TROUBLE,
    ComponentName,
    Configuration,
    finding,
)
from camunda_entra_fastapi.cli.doctor.component_claims import claims, header_size, user_info
from camunda_entra_fastapi.cli.findings import Finding, State, printable, split_remedy
from camunda_entra_fastapi.settings.issuers import read_issuer


def examine(configuration: Configuration) -> Iterator[Finding]:
    """The findings, those about the issuer first."""
    yield from _method(configuration)
    yield from _issuer(configuration)
    yield from _audience(configuration)
    yield from _redirect(configuration)
    if configuration.name is ComponentName.ORCHESTRATION:
        yield from claims(configuration)
        yield from user_info(configuration)
    yield from header_size(configuration)


def _method(configuration: Configuration) -> Iterator[Finding]:
    if configuration.name is not ComponentName.ORCHESTRATION:
        return
    method = configuration.value("method")
    if method.lower() != "oidc":
        yield finding(
            configuration,
            "method",
            State.WRONG,
            f"The cluster signs nobody in with Entra: its method is {printable(method or 'basic', 40)}.",
            f"Set {configuration.variable('method')} to oidc; without it, all of {OIDC_NAMES} is ignored.",
            "component_method",
            documentation=CONNECT,
        )


OIDC_NAMES: Final = "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_*"


def _issuer(configuration: Configuration) -> Iterator[Finding]:
    for topic in ("issuer", "backend"):
        if topic not in configuration.component.places:
            continue
        variable, value = configuration.variable(topic), configuration.value(topic)
        if not value:
            if topic == "issuer":
                text = f"{variable} is not set, so that nothing more can be asked of Entra."
                remedy = "Set it to https://login.microsoftonline.com/<tenant ID>/v2.0."
                if configuration.is_of_cluster:
                    remedy = (
                        "Since 8.8 Operate is a part of the Orchestration Cluster: --component orchestration."
                    )
                yield finding(configuration, topic, State.WRONG, text, remedy, "component_issuer")
            continue
        try:
            read_issuer(value, allow_http=True)
        except ValueError as error:
            # The remedy that names a setting of this package is none for a component.
            cause, remedy = split_remedy(f"{variable} {error}")
            remedy = remedy.partition("; CAMUNDA_ENTRA_")[0].removesuffix(".") + "."
            yield finding(configuration, topic, State.WRONG, cause, remedy, "component_issuer")
            continue
        if not value.rstrip("/").endswith("/v2.0"):
            text = f"{variable} does not end in /v2.0, as the issuer of the tokens that Camunda takes does."
            expected = f"{value.rstrip('/')}/v2.0"
            remedy = f"Set it to {expected}, and requestedAccessTokenVersion in the manifest to 2."
            yield finding(
                configuration,
                topic,
                State.WRONG,
                text,
                remedy,
                "component_issuer",
                expected=expected,
                actual=value,
            )
        else:
            yield finding(configuration, topic, State.OK, f"{variable}: {printable(value)}")


def _audience(configuration: Configuration) -> Iterator[Finding]:
    client, audiences = configuration.value("client"), configuration.entries("audience")
    variable = configuration.variable("audience")
    wrong = [each for each in audiences if each.startswith("api://")]
    if not audiences:
        text = f"{variable} is not set, and nothing else tells this component's tokens from others'."
        yield finding(
            configuration,
            "audience",
            State.WRONG,
            text,
            "Set it to the client ID.",
            "component_audience",
            expected=client,
        )
    elif wrong:
        yield finding(
            configuration,
            "audience",
            State.WRONG,
            f"{variable} holds an Application ID URI, but aud of a token of version 2.0 is the client ID.",
            "Set it to the client ID alone.",
            "component_audience",
            expected=client,
            actual=wrong[0],
        )
    elif client not in audiences:
        yield finding(
            configuration,
            "audience",
            State.WRONG,
            f"{variable} is not this component's client ID, which is aud of its people's tokens.",
            "Set it to the client ID. The audience is all that tells one component's tokens from another's.",
            "component_audience",
            documentation=f"{TROUBLE}#invalid-audience",
            expected=client,
            actual=", ".join(audiences),
        )
    elif others := configuration.others_with(client):
        names = " and ".join(f"{other} ({name})" for name, other in others.items())
        # All components up to 8.7 have that variable, so it may be this one's from before.
        is_sure = set(others) != {"CAMUNDA_IDENTITY_AUDIENCE"}
        yield finding(
            configuration,
            "audience",
            State.WRONG if is_sure else State.NOTE,
            f"The audience is also that of {names}: a token for one is taken by the other.",
            "Register an application for each component, and set client ID and audience to its ID.",
            "component_audience_shared",
            documentation=f"{TROUBLE}#shared-audience-between-components",
        )
    else:
        further = [each for each in audiences if each != client]
        text = f"{variable} is the client ID"
        note = (
            f", and besides {printable(', '.join(further), 200)}: see that no other component has that"
            if further
            else ""
        )
        yield finding(configuration, "audience", State.NOTE if further else State.OK, text + note)


def redirect_uri(configuration: Configuration, base_url: str = "") -> str:
    """The redirect URI that the component sends; empty where it is not known."""
    value, callback = configuration.value("redirect"), configuration.component.callback
    root = value.replace("{baseUrl}", base_url) if base_url or "{baseUrl}" not in value else ""
    if configuration.variable("redirect").endswith("_REDIRECTURI") and urlsplit(root).path.strip("/"):
        return root
    root = (root or base_url).rstrip("/")
    return root and f"{root}{callback}"


def _redirect(configuration: Configuration) -> Iterator[Finding]:
    variable, value = configuration.variable("redirect"), configuration.value("redirect")
    callback, path = configuration.component.callback, urlsplit(value.replace("{baseUrl}", "https://x")).path
    if not variable.endswith("_REDIRECTURI"):
        if path.rstrip("/").endswith(callback):
            text = f"{variable} has the callback path, which is appended once more."
            remedy = f"Set it to {value.rstrip('/').removesuffix(callback)}."
            yield finding(
                configuration, "redirect", State.WRONG, text, remedy, "component_redirect", actual=value
            )
        return
    place = f"{CONNECT}#redirect-uri"
    if not value:
        yield finding(
            configuration,
            "redirect",
            State.NOTE,
            f"{variable} is not set, and some versions of 8.8 and 8.9 then use a path that ends in a loop.",
            f"Set it to {{baseUrl}}{callback}, or to the whole address that is registered.",
            "component_redirect",
            documentation="https://github.com/camunda/camunda/issues/45555",
        )
    elif path in {"", "/"}:
        yield finding(
            configuration,
            "redirect",
            State.WRONG,
            f"{variable} has no callback path; since 8.10 the component does not start with it.",
            f"Append {callback}. The Helm value is the address without it.",
            "component_redirect",
            documentation=place,
            expected=f"{value.rstrip('/')}{callback}",
            actual=value,
        )
    elif not path.endswith(callback):
        text = f"{variable} does not end in {callback}, where alone the component finishes a sign-in."
        yield finding(
            configuration,
            "redirect",
            State.WRONG,
            text,
            f"End it in {callback}.",
            "component_redirect",
            documentation=place,
            actual=value,
        )
