"""The page of settings, of the fields of ``EntraSettings`` and the text below each."""

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin

from camunda_entra_fastapi import EntraSettings
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.settings import orchestration
from camunda_entra_fastapi.settings.groups import Group
from camunda_entra_fastapi.settings.sources import SECRETS_DIR, variables_of
from camunda_entra_fastapi.settings.values import MIN_SESSION_SECRET
from tests.docs.reference.markdown import bullet, generated, prose, table

NAME: Final = "settings.md"
FIVE: Final = ("type", "issuer", "client_id", "client_secret", "base_url")
INTRODUCTION: Final = """\
# Settings

This page says which variables the package reads, what each is for, and what a right value looks like.

## The five that matter

Nine readers of ten need these and no others:

```dotenv
CAMUNDA_IDENTITY_TYPE=AZUREAD
CAMUNDA_IDENTITY_ISSUER=https://login.microsoftonline.com/<tenant ID>/v2.0
CAMUNDA_IDENTITY_CLIENT_ID=<client ID>
CAMUNDA_IDENTITY_CLIENT_SECRET=<secret>
CAMUNDA_ENTRA_BASE_URL=https://orders.example.com
```

An API that nobody signs in to with a browser needs the first three only.

## Where they are read

The first place that has a value wins:

1. keyword arguments, `CamundaEntra(EntraSettings(base_url="…"))`, by the name of the field or of the variable
2. the environment
3. a file `.env` in the working directory
4. the files of the folder that `{secrets}` names, one for each variable, with the bare value in it

An empty value counts as not set, and so does a file without text. Quotes around a value are taken off. All
mistakes are reported at start, in one error. A variable `CAMUNDA_ENTRA_…` that is none of these is warned of.
"""
GROUPS: Final[Mapping[Group, str]] = {
    Group.MUST_HAVE: "The six variables that every component of Camunda gets. Three of them are required.",
    Group.SIGN_IN: "For services that people sign in to with a browser.",
    Group.SESSIONS: "How long and where people stay signed in.",
    Group.LET_IN: "Which tokens are accepted, and whose.",
    Group.NETWORK: "The way from this service to Entra.",
    Group.RARE: "What few services need.",
}
MORE: Final[Mapping[str, tuple[str, str]]] = {
    "issuer": ("Several tenants", "../how-to/entra/several-tenants.md"),
    "issuer_backend_url": ("Other clouds, B2C, External ID", "../how-to/entra/other-clouds.md"),
    "client_certificate": ("Certificates", "../how-to/entra/certificates.md"),
    "federated_token_file": ("Workload identity", "../how-to/entra/workload-identity.md"),
    "base_url": ("Behind a proxy", "../how-to/run/proxy.md"),
    "cookie_domain": ("One login host for sibling hosts", "../how-to/run/sibling-hosts.md"),
    "return_to_hosts": ("One login host for sibling hosts", "../how-to/run/sibling-hosts.md"),
    "session_store": ("Redis and replicas", "../how-to/run/redis.md"),
    "session_secret": ("Rotate secrets", "../how-to/run/rotate-secrets.md"),
    "cookie_same_site": ("Frames and Teams tabs", "../how-to/application/frames.md"),
    "frame_ancestors": ("Frames and Teams tabs", "../how-to/application/frames.md"),
    "allowed_tenants": ("Several tenants", "../how-to/entra/several-tenants.md"),
    "allow_guests": ("Guests", "../how-to/entra/guests.md"),
    "websocket_protocol_tokens": ("WebSockets", "../how-to/application/websockets.md"),
    "group_overage": ("More than 200 groups", "../how-to/entra/many-groups.md"),
    "tenant_type": ("Other clouds, B2C, External ID", "../how-to/entra/other-clouds.md"),
    "key_retention": ("Keys and outages", "../explanation/keys.md"),
    "allow_lax_certificates": ("Proxies that read TLS", "../how-to/run/tls-proxies.md"),
    "documentation_url": ("Codes", "codes.md"),
    "allow_local_entra": ("The local Entra in containers", "local-entra.md#in-containers"),
}
SHAPES: Final[Mapping[str, str]] = {
    "audience": "one value, or several separated by commas",
    "scopes": "names separated by blanks, `openid` among them",
    "client_certificate_password": "one line of text",
    "session_secret": f"secrets of {MIN_SESSION_SECRET} printable characters or more, separated by commas; "
    "make one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`",
    "group_overage": "`refuse`, `graph`, or an https address of Microsoft Graph",
    "allowed_clients": "client IDs, separated by commas",
    "allowed_tenants": "tenant IDs, or `function`, separated by commas; or `*` alone",
}
"""Where the words of a refusal tell no shape."""
ORCHESTRATION: Final = """\
## The names of the Orchestration Cluster

Since Camunda 8.8, the Orchestration Cluster has [names of its
own](https://docs.camunda.io/docs/self-managed/components/orchestration-cluster/core-settings/configuration/properties/).
They are read as well, where `{method}` is `oidc`. Then no other is needed. Each begins with `{prefix}`:
"""
ORCHESTRATION_END: Final = """\
Underscores may stand between the words, as Spring has it (`…CLIENT_ID`), and a list may have numbered entries
(`…AUDIENCES_0`). Several scopes and audiences are separated by commas. `{baseUrl}` in a redirect URI is the
request's address. The endpoints count where no issuer is set. Spellings that disagree are an error. What has
no effect here is logged once.
"""


def page() -> str:
    """The page."""
    return generated("\n".join(_lines()), "the fields of EntraSettings")


@cache
def texts() -> Mapping[str, str]:
    """For each field the text below it, which is Markdown."""
    tree = ast.parse(inspect.getsource(EntraSettings)).body[0]
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def group_of(field: str) -> Group:
    """The need that the field is for."""
    (group,) = (one for one in EntraSettings.model_fields[field].metadata if isinstance(one, Group))
    return group


def example(**changes: Any) -> EntraSettings:
    """Settings with the three required values, whose placeholders show in what follows from them."""
    required = {
        "type": "AZUREAD",
        "issuer": "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0",
        "client_id": "22222222-3333-4444-8555-666666666666",
    }
    return EntraSettings(_env_file=None, **required | changes)


def default_of(field: str) -> str:
    """The value without the variable, as Markdown; what follows from other settings by their names."""
    if EntraSettings.model_fields[field].is_required():
        return "none, it is required"
    settings = example()
    value = getattr(settings, field)
    if field == "group_overage":  # None is what the spelling becomes
        return "`refuse`"
    if value is None or value == ():
        return "none"
    return "the issuer" if value == settings.issuer else f"`{_text_of(value, settings.client_id)}`"


def _text_of(value: object, client_id: str) -> str:
    """The value as a variable has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.0f}"
    if isinstance(value, float):
        return f"{value:g}"
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    return text.replace(client_id, "<client ID>")


def shape_of(field: str) -> str:
    """What a right value looks like, in the words that a wrong one is refused with."""
    annotation = EntraSettings.model_fields[field].annotation
    if field in SHAPES:
        return SHAPES[field]
    if annotation is bool:
        return "`true` or `false`"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    for wrong in ("\x01", 5.5):
        try:
            example(**{field: wrong})
        except SettingsError as error:
            advice = error.problems[0].partition(" Give ")[2].partition(". ")[0].removesuffix(".")
            if noun := re.search("is not (an? [a-z]+)", error.problems[0]):
                advice = re.sub("^one ", f"{noun[1]} ", advice)
            if advice:
                return re.sub("(for example )([^ ,;]+)", r"\1`\2`", advice.partition("; ")[0])
    assert "Path" in str(annotation), f"{field} needs its shape here"
    return "the path of a file"


def spellings_of(field: str) -> list[str]:
    """The variables that mean the same as the documented one."""
    return [*variables_of(field)[1:], *orchestration.SPELLINGS.get(field, {})]


def _lines() -> Iterator[str]:
    yield INTRODUCTION.format(secrets=SECRETS_DIR)
    for group in Group:
        yield f"## {group.value.capitalize()}\n"
        yield f"{GROUPS[group]}\n"
        for field in EntraSettings.model_fields:
            if group_of(field) is group:
                yield from _setting(field)
    yield ORCHESTRATION.format(method=orchestration.METHOD, prefix=orchestration.PREFIX)
    same: dict[str, list[str]] = {}
    for field, spellings in orchestration.SPELLINGS.items():
        for name in spellings:
            same.setdefault(name, []).append(f"`{variables_of(field)[0]}`")
    rows = (
        [f"`…{name.removeprefix(orchestration.PREFIX)}`", ", ".join(fields)] for name, fields in same.items()
    )
    yield table(["name", "is"], rows) + "\n"
    yield ORCHESTRATION_END


def _setting(field: str) -> Iterator[str]:
    yield f"### {variables_of(field)[0]}\n"
    yield f"{prose(texts()[field])}\n"
    yield bullet(f"Default: {default_of(field)}")
    yield bullet(f"Shape: {shape_of(field)}")
    if spellings := spellings_of(field):
        yield bullet(f"Also read from: {', '.join(f'`{name}`' for name in spellings)}")
    if field in MORE:
        title, target = MORE[field]
        yield bullet(f"More: [{title}]({target})")
    yield ""
