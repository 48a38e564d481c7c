"""The keys of the running service: which Entra publishes, which are kept though it does not, since when."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from camunda_entra_fastapi.cli.doctor.connection_errors import Unreachable
from camunda_entra_fastapi.cli.doctor.context import DoctorContext, skipped
from camunda_entra_fastapi.cli.findings import Finding, State, printable
from camunda_entra_fastapi.untrusted_json import parse_object
from camunda_entra_fastapi.urls import is_loopback

_LISTED: Final = 20
"""Keys that are named; of more, the number."""


async def service_keys(context: DoctorContext) -> AsyncIterator[Finding]:
    """Which keys the running service has: published ones, and kept ones with the time they were last seen."""
    if context.settings.key_retention == 0:
        yield Finding(
            "key retention",
            State.NOTE,
            "CAMUNDA_ENTRA_KEY_RETENTION=0 lets the newest key document alone count. Entra's servers publish "
            "different sets, so good tokens are refused for hours.",
            "Leave it out, for the 24 hours that Microsoft advises, unless a key was withdrawn just now.",
            "no_key_retention",
        )
    base = urlsplit(context.base_url)
    if not context.base_url or (base.scheme == "http" and not is_loopback(base.hostname or "")):
        return
    path = f"{context.settings.login_prefix}/health"
    try:
        response = await context.probe.get(f"{context.base_url}{path}?keys=true")
    except Unreachable:
        return  # the finding about the service says so
    try:
        members = (parse_object(response.body) or {})["keys"]
        published = [str(key_id) for key_id in members["published"]]
        kept = [_describe_kept(each) for each in members["kept"]]
        since = printable(members["published_at"], 40)
    except (LookupError, TypeError):
        yield skipped("service keys", f"{path} is answered with status {response.status} and without keys")
        return
    message = f"The service has of Entra's newest document, of {since}: {_list(published)}."
    if not kept:
        yield Finding("service keys", State.OK, f"{message} None is kept from an earlier one.")
        return
    yield Finding(
        "service keys",
        State.NOTE,
        f"{message} Kept though that lacks them: {_list(kept)}.",
        "Nothing is to be done, as Entra's servers publish different sets. Only if Microsoft withdrew one of "
        "them in an emergency: set CAMUNDA_ENTRA_KEY_RETENTION=0 and start all processes again.",
        "keys_kept",
    )


def _describe_kept(members: Mapping[str, Any]) -> str:
    return f"{members['kid']}, last seen {members['last_seen']}, until {members['kept_until']}"


def _list(texts: Iterable[str]) -> str:
    listed = list(texts)
    more = [f"and {len(listed) - _LISTED} more"] if len(listed) > _LISTED else []
    return "; ".join([printable(each, 200) for each in listed[:_LISTED]] + more)
