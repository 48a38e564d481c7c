"""What holds for blocks that are neither Python nor commands."""

import io
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Final

import yaml
from dotenv import dotenv_values

from camunda_entra_fastapi import EntraSettings
from tests.docs.blocks.parsing import Block

FROM_FILES: Final = frozenset(
    {
        "caddyfile",
        "css",
        "dockerfile",
        "haproxy",
        "hcl",
        "html",
        "javascript",
        "lua",
        "nginx",
        "promql",
        "text",
    }
)
"""Languages that no test can run where they stand: they come from files that a test runs, or from runs."""
_PLACEHOLDERS: Final = {
    "<tenant ID>": "11111111-2222-4333-8444-555555555555",
    "<the customer's tenant ID>": "21111111-2222-4333-8444-555555555555",
    "<client ID>": "99999999-2222-4333-8444-555555555555",
    "<secret>": "a-secret-of-the-page-that-is-long-enough",
    "<the client secret>": "a-secret-of-the-page-that-is-long-enough",
    "<new>": "another-secret-of-the-page-that-is-long-enough",
    "<name>": "contoso",
}
_SIX: Final = {
    "CAMUNDA_IDENTITY_TYPE": "AZUREAD",
    "CAMUNDA_IDENTITY_ISSUER": f"https://login.microsoftonline.com/{_PLACEHOLDERS['<tenant ID>']}/v2.0",
    "CAMUNDA_IDENTITY_CLIENT_ID": _PLACEHOLDERS["<client ID>"],
    "CAMUNDA_IDENTITY_CLIENT_SECRET": _PLACEHOLDERS["<secret>"],
}
_OF_OTHERS: Final = re.compile(
    r"(AZURE|OTEL|CAMUNDA_SECURITY|UVICORN|REDIS|HTTPS?_PROXY|SSL_CERT|LOG)_?[A-Z_]*"
)


def check_dotenv(block: Block) -> None:
    """Each name is a setting, and all of them together are accepted."""
    values = {
        name: value or "" for name, value in dotenv_values(stream=io.StringIO(filled(block.text))).items()
    }
    known = {f"CAMUNDA_{kind}_{field.upper()}" for field in EntraSettings.model_fields for kind in KINDS}
    known.add("CAMUNDA_ENTRA_SECRETS_DIR")
    for name in values:
        assert name in known or _OF_OTHERS.fullmatch(name), f"{block.place}: {name} is no setting"
    ours = {name: value for name, value in values.items() if name in known - {"CAMUNDA_ENTRA_SECRETS_DIR"}}
    if "CAMUNDA_ENTRA_CLIENT_CERTIFICATE" in ours or "CAMUNDA_ENTRA_CA_BUNDLE" in ours:
        return  # files that are not here
    EntraSettings(_env_file=None, **(_SIX | ours))


KINDS: Final = ("IDENTITY", "ENTRA")


def filled(text: str) -> str:
    """The text with values in the places of what readers fill in."""
    for shown, value in _PLACEHOLDERS.items():
        text = text.replace(shown, value)
    return text


def check_json(block: Block) -> None:
    """It is JSON, but for ``…`` in the place of what is long."""
    json.loads(block.text)


def check_yaml(block: Block) -> None:
    """It is YAML, of one document or several."""
    assert list(yaml.safe_load_all(block.text)), block.place


def check_toml(block: Block) -> None:
    """It is TOML."""
    tomllib.loads(block.text)


def check_http(block: Block) -> None:
    """It begins as a request or a response does, and headers follow."""
    first, *headers = block.text.partition("\n\n")[0].splitlines()
    assert re.fullmatch(r"([A-Z]+ /\S* HTTP/1\.1|HTTP/1\.1 [1-5][0-9]{2} [A-Za-z ]+)", first), block.place
    for header in headers:
        assert re.match(r"([A-Za-z0-9-]+: |[ \t])", header), f"{block.place}: {header}"


CHECKS: Final[Mapping[str, Callable[[Block], None]]] = {
    "dotenv": check_dotenv,
    "json": check_json,
    "yaml": check_yaml,
    "toml": check_toml,
    "http": check_http,
}
