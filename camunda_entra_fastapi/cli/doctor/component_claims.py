"""What a component takes from tokens, and whether there is room for them. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from camunda_entra_fastapi.cli.doctor.component import (
    CONNECT,
    GUIDE,
    TROUBLE,
    USER_INFO,
    ComponentName,
    Configuration,
    finding,
)
from camunda_entra_fastapi.cli.findings import Finding, State, printable

_OF_APPLICATIONS: Final = frozenset({"sub", "oid", "azp", "appid", "tid"})
"""Claims of an application's tokens that people's have, too (Learn: access token claims reference)."""
_BYTES: Final = {"": 1, "B": 1, "KB": 1024, "MB": 1024 * 1024}
_ENOUGH_BYTES: Final = 40 * 1024
"""What Camunda's documentation suggests."""


def claims(configuration: Configuration) -> Iterator[Finding]:
    """Who is a person and who a machine: in Entra's tokens both have azp, oid and sub."""
    user, client = configuration.value("username") or "sub", configuration.value("client claim")
    prefers_user = configuration.value("prefer").lower() == "true"
    order = f"{CONNECT}#controlling-the-principal-identification-order"
    right = (
        f"Set {configuration.variable('username')} to preferred_username, "
        f"{configuration.variable('client claim')} to azp and {configuration.variable('prefer')} to true."
    )

    def wrong(topic: str, text: str) -> Finding:
        return finding(
            configuration, topic, State.WRONG, text, right, "component_claims", documentation=order
        )

    if "appid" in {user, client}:
        yield wrong("client claim", "appid is a claim of version 1.0; tokens of version 2.0 have azp.")
    elif user == client:
        yield wrong("username", f"People and machines are named by the same claim, {printable(user, 40)}.")
    elif not client:
        yield wrong("client claim", "No claim names machines, so that they are taken for people.")
    elif prefers_user and user in _OF_APPLICATIONS:
        yield wrong(
            "username", f"Machines are taken for people: their tokens have {user}, too, which goes first."
        )
    elif not prefers_user and client in _OF_APPLICATIONS:
        yield wrong(
            "prefer", f"People are taken for machines: their tokens have {client}, too, which goes first."
        )
    else:
        yield finding(configuration, "username", State.OK, f"people by {user}, machines by {client}")
    if user == "preferred_username" and "profile" not in (
        configuration.entries("scope") or ["openid", "profile"]
    ):
        yield finding(
            configuration,
            "scope",
            State.WRONG,
            "preferred_username comes with the scope profile alone, which is not asked for.",
            f"Add profile to {configuration.variable('scope')}.",
            "component_claims",
            documentation=GUIDE,
        )


def user_info(configuration: Configuration) -> Iterator[Finding]:
    """Whether the cluster asks Graph for what its token is not for."""
    variable = configuration.variable("user info")
    if configuration.value("user info").lower() == "false":
        yield finding(configuration, "user info", State.OK, "not asked for")
        return
    if any(re.search(r"/\.default$", each) for each in configuration.entries("scope")):
        yield finding(
            configuration,
            "user info",
            State.NOTE,
            "Since 8.9 Graph is asked for user info with a token for the cluster: 500 at /sso-callback.",
            f"Set {variable} to false: the ID token has all claims. camunda/camunda#63587 of September 2026, "
            "later than 8.9.19, mends it for 8.9; for 8.10 see camunda-security-library#557.",
            "component_user_info",
            documentation=USER_INFO,
        )


def header_size(configuration: Configuration) -> Iterator[Finding]:
    """Whether a request has room for cookies and tokens of people in many groups."""
    variable, value = configuration.variable("header"), configuration.value("header")
    size = re.fullmatch(r"([0-9]{1,9}) ?([KM]?B?)", value.upper())
    if size and int(size[1]) * _BYTES.get(size[2], 0) >= _ENOUGH_BYTES:
        yield finding(configuration, "header", State.OK, f"requests may have headers of {value}")
        return
    if configuration.name is ComponentName.ORCHESTRATION and not configuration.value("groups"):
        return
    yield finding(
        configuration,
        "header",
        State.NOTE,
        f"Requests may have headers of {value or '8KB'}, which people in many groups exceed: 400, or a loop.",
        f"Set {variable} to 40KB, and see that proxies in front of it let as much through.",
        "component_header",
        documentation=f"{TROUBLE}#request-header-is-too-large",
    )
