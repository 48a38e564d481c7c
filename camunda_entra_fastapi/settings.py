"""``EntraSettings``: from the environment to validated, frozen values.

A mistake in here costs people a day, so each is told in one sentence that names the variable, what
is wrong and what a right value looks like, and all of them are told together.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from camunda_entra_fastapi import issuers
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.validation.entra import is_tenant_id
from camunda_entra_fastapi.variables import CONTRADICTIONS, VariablesSource, variable_of

MIN_SESSION_SECRET: Final = 32
"""Characters; a session secret is turned into a key of 256 bits."""

_OTHER_TYPES: Final = {
    "KEYCLOAK": "Camunda's own Keycloak is not Entra ID",
    "GENERIC": "other OpenID providers are not supported",
}


def _list(separator: str | None) -> Any:
    """A list written as one text in the environment; code may give a list."""

    def split(value: object) -> object:
        parts = value.split(separator) if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            return parts
        return tuple(dict.fromkeys(part.strip() if isinstance(part, str) else part for part in parts))

    return BeforeValidator(split)


_SettingsClass = type[BaseSettings]  # in the class below, "type" is a field
_Comma = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], NoDecode, _list(",")]
_Blank = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], NoDecode, _list(None)]
_Secrets = Annotated[tuple[SecretStr, ...], NoDecode, _list(",")]


class EntraSettings(BaseSettings):
    """What this service trusts. Every row is a variable of README's table.

    Keyword arguments come first, then the environment, ``.env``, and the files in the folder that
    ``CAMUNDA_ENTRA_SECRETS_DIR`` names. A field's ``description`` is the shape of a right value.

    Raises:
        SettingsError: Something is missing or wrong; it lists everything that is.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_file=".env",
        env_file_encoding="utf-8",
        validate_default=False,
        hide_input_in_errors=True,
    )

    allow_http: bool = Field(False, description="true or false")  # first, as the URLs below look at it
    type: Literal["AZUREAD", "MICROSOFT"] = Field(description="AZUREAD or MICROSOFT")
    issuer: str = Field(description=f"the issuer of your tenant, for example {issuers.EXAMPLE}")
    issuer_backend_url: str = Field(
        default_factory=lambda data: issuers.shared_document_of(data["issuer"]),
        description=f"where this service reaches the issuer, for example {issuers.EXAMPLE}",
    )
    client_id: str = Field(
        description="the application (client) ID, for example 11111111-2222-4333-8444-555555555555"
    )
    client_secret: SecretStr | None = Field(None, description="the value of a client secret")
    audience: _Comma = Field(
        default_factory=lambda data: (data["client_id"],),
        description="the application (client) ID, or several audiences separated by commas",
    )
    base_url: str | None = Field(
        None, description="the public root of this service, for example https://operate.example.com"
    )
    scopes: _Blank = Field(
        default_factory=lambda data: ("openid", "email", "offline_access", f"{data['client_id']}/.default"),
        description="scopes separated by blanks, openid among them",
    )
    session_store: str = Field(
        "cookie", repr=False, description="cookie, memory, or a URL such as redis://localhost:6379/0"
    )
    session_secret: _Secrets = Field(
        (), description=f"secrets of at least {MIN_SESSION_SECRET} characters each, separated by commas"
    )
    session_lifetime: timedelta = Field(
        timedelta(hours=8),
        ge=timedelta(minutes=1),
        le=timedelta(days=90),
        description="seconds or an ISO 8601 duration from a minute to 90 days, for example PT8H",
    )
    clock_skew: int = Field(60, ge=0, le=300, description="seconds from 0 to 300, for example 60")
    accept_v1_tokens: bool = Field(False, description="true or false")
    allowed_tenants: _Comma = Field(
        (), validate_default=True, description="tenant IDs separated by commas, or * for any tenant"
    )
    allowed_clients: _Comma = Field((), description="client IDs separated by commas")
    allow_guests: bool = Field(True, description="true or false")
    token_cache_size: int = Field(10_000, ge=0, le=1_000_000, description="a number from 0 to 1000000")
    metadata_lifetime: int = Field(3600, ge=1, le=86_400, description="seconds from 1 to 86400")
    http_timeout: float = Field(5, ge=0.1, le=60, description="seconds from 0.1 to 60")
    http_proxy: str | None = Field(
        None, repr=False, description="the URL of a proxy, for example http://proxy.example.com:3128"
    )
    ca_bundle: Path | None = Field(None, description="the path of a PEM file that can be read")
    custom_signing_keys: bool = Field(False, description="true or false")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = _problems(error)
        else:
            return
        # Raised outside of the handler: pydantic's error may know a secret and must not be its context.
        raise SettingsError(problems)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: _SettingsClass,
        init_settings: PydanticBaseSettingsSource,
        env_settings: Any,
        dotenv_settings: Any,
        file_secret_settings: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """One source of our own for all variables, as it has to see two spellings at once."""
        secrets_dir = file_secret_settings.secrets_dir
        return init_settings, VariablesSource(settings_cls, env_settings, dotenv_settings, secrets_dir)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        contradictions = values.pop(CONTRADICTIONS, {})
        kept = {name: value for name, value in values.items() if value not in ("", None)}
        if open_ones := {name: text for name, text in contradictions.items() if name not in kept}:
            kept[CONTRADICTIONS] = open_ones  # no field, hence an error, reported with all others
        return kept

    @field_validator("type", mode="before")
    @classmethod
    def _check_type(cls, value: object) -> object:
        text = str(value).upper()
        if text in _OTHER_TYPES:
            raise ValueError(f"is {text}, but {_OTHER_TYPES[text]}")
        return text

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, value: str, info: ValidationInfo) -> str:
        return issuers.check_issuer(value, allow_http=info.data.get("allow_http", False))

    @field_validator("issuer_backend_url", "base_url")
    @classmethod
    def _check_url(cls, value: str, info: ValidationInfo) -> str:
        issuers.check_url(value, allow_http=info.data.get("allow_http", False))
        return value.rstrip("/")

    @field_validator("client_id")
    @classmethod
    def _check_client_id(cls, value: str) -> str:
        if any(char in value for char in "/:<> \t\r\n"):
            raise ValueError("is not an application (client) ID; an App ID URI or a name does not do")
        return value

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("lacks openid, without which Entra says nothing of the user")
        return value

    @field_validator("session_store")
    @classmethod
    def _check_session_store(cls, value: str) -> str:
        if value not in ("cookie", "memory") and urlsplit(value).scheme not in ("redis", "rediss"):
            raise ValueError("is no store that there is")
        return value

    @field_validator("session_secret")
    @classmethod
    def _check_session_secret(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(secret.get_secret_value()) < MIN_SESSION_SECRET for secret in value):
            raise ValueError("has a secret that is too short")
        return value

    @field_validator("allowed_tenants")
    @classmethod
    def _check_allowed_tenants(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        issuer = info.data.get("issuer")
        if issuer is not None and issuers.is_multi_tenant(issuer) and not value:
            raise ValueError("is not set, but the issuer stands for several tenants")
        if value != ("*",) and not all(map(is_tenant_id, value)):
            raise ValueError("has a value that is not a tenant's ID, a GUID")
        tenants = tuple(tenant.lower() for tenant in value)
        tenant = issuers.tenant_of(issuer) if issuer else None
        if value and tenant and value != ("*",) and tenant not in tenants:
            raise ValueError("does not have the tenant that the issuer names, so nobody would be let in")
        return tenants

    @field_validator("allowed_clients")
    @classmethod
    def _lower_clients(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(client.lower() for client in value)

    @field_validator("http_proxy")
    @classmethod
    def _check_proxy(cls, value: str) -> str:
        if not urlsplit(value).hostname or urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("is no URL of a proxy")
        return value

    @field_validator("ca_bundle")
    @classmethod
    def _check_ca_bundle(cls, value: Path) -> Path:
        if not value.is_file():
            raise ValueError("is not a file")
        return value

    @property
    def is_multi_tenant(self) -> bool:
        """Whether the issuer stands for more tenants than one."""
        return issuers.is_multi_tenant(self.issuer)

    @property
    def tenant(self) -> str | None:
        """The tenant that the issuer names, by ID or domain; None where it stands for several."""
        return issuers.tenant_of(self.issuer)

    @property
    def issuer_template(self) -> str:
        """What ``iss`` must be, with ``{tenantid}`` where the issuer stands for several tenants."""
        return issuers.template_of(self.issuer)

    @property
    def authorization_url(self) -> str:
        """Where people sign in, for browsers and OpenAPI."""
        return issuers.endpoint_for_browsers(self.issuer, self.issuer_backend_url, "authorize")

    @property
    def token_url(self) -> str:
        """Where clients get tokens, for browsers and OpenAPI."""
        return issuers.endpoint_for_browsers(self.issuer, self.issuer_backend_url, "token")


def _problems(error: ValidationError) -> list[str]:
    """One sentence for each mistake, in the order of the table, naming variables as operators know them."""
    details = {str(detail["loc"][0]): detail for detail in reversed(error.errors(include_url=False))}
    told: dict[str, str] = details.pop(CONTRADICTIONS, {"input": {}})["input"]
    for field, detail in details.items():
        if detail["type"] != "default_factory_not_called":  # follows from a mistake of another field
            told.setdefault(field, _sentence(field, detail))
    order = dict.fromkeys((*EntraSettings.model_fields, *told))
    return [told[field] for field in order if field in told]


def _sentence(field: str, detail: ErrorDetails) -> str:
    info = EntraSettings.model_fields.get(field)
    if info is None:
        return f"{field!r} is no setting; its keyword arguments are the names of its fields."
    shape = f"Set it to {info.description}."
    if detail["type"] == "missing":
        return f"{variable_of(field)} is not set. {shape}"
    if detail["type"] == "value_error":
        return f"{variable_of(field)} {detail['ctx']['error']}. {shape}"
    return f"{variable_of(field)} has a value that cannot be used. {shape}"
