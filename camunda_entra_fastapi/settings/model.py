"""``EntraSettings``: the settings of the environment, validated once, as frozen values."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    BeforeValidator,
    SecretStr,
    ValidationError,
    field_serializer,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from camunda_entra_fastapi.errors import SettingsError, quoted
from camunda_entra_fastapi.settings import issuers, urls, validators, values
from camunda_entra_fastapi.settings.misspellings import SETTINGS_PAGE, nearest_of
from camunda_entra_fastapi.settings.sources import (
    InvalidValue,
    VariablesSource,
    arguments_by_field,
    variables_of,
)

_WITH_PASSWORDS: Final = ("session_store", "http_proxy")
_REMEDIES: Final = {
    "type": "Set it to AZUREAD.",
    "issuer": f"Set it to the issuer of your tenant, for example {issuers.EXAMPLE_ISSUER}.",
    "client_id": "Set it to the Application (client) ID of the app registration, a GUID, "
    f"for example {values.EXAMPLE_ID}.",
}


Flag = Annotated[bool, BeforeValidator(values.read_flag)]
_SettingsClass = type[BaseSettings]  # in the class below, "type" is a field


class EntraSettings(BaseSettings):
    """Which tenant and application registration to trust, and how.

    Read from keyword arguments, the environment, ``.env`` in the working directory, and one file per
    variable in the folder that ``CAMUNDA_ENTRA_SECRETS_DIR`` names; the first that has a value wins.
    The first six fields are ``CAMUNDA_IDENTITY_<NAME>``, all others ``CAMUNDA_ENTRA_<NAME>``. Keyword
    arguments have the names of the fields or of the variables, in any case.

    Raises:
        SettingsError: Something is missing or wrong; all of it is listed, one sentence or two each.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    allow_http: Flag = False
    """Whether plain http is accepted beyond this machine. It comes first because the URLs depend on it."""

    type: Annotated[Literal["AZUREAD", "MICROSOFT"], BeforeValidator(values.read_type)]
    """Two names for Microsoft Entra ID; no others are supported."""
    issuer: Annotated[str, BeforeValidator(validators.issuer)]
    """The issuer, unchanged; may be one for several tenants (``allowed_tenants``)."""
    issuer_backend_url: Annotated[str, BeforeValidator(validators.backend_url)] = ""
    """The issuer's address on the back channel; by default the issuer itself."""
    client_id: Annotated[str, BeforeValidator(values.read_client_id)]
    """The application (client) ID of this service's registration."""
    client_secret: Annotated[SecretStr | None, BeforeValidator(values.read_secret)] = None
    """Needed for signing in and for tokens of other services, not for protecting an API."""
    audience: Annotated[tuple[str, ...], BeforeValidator(validators.audience)] = ()
    """The accepted values of ``aud``; by default the client ID."""
    client_certificate: Annotated[Path | None, BeforeValidator(validators.client_certificate)] = None
    """Instead of a secret: a file with a certificate and its private key, PEM or PKCS#12."""
    client_certificate_password: Annotated[SecretStr | None, BeforeValidator(values.read_secret)] = None
    """The password of the private key."""
    client_assertion_algorithm: Annotated[
        Literal["PS256", "RS256"], BeforeValidator(values.read_assertion_algorithm)
    ] = "PS256"
    """The signature algorithm; RS256, with ``x5t``, for clouds that do not support PS256 yet."""
    federated_token_file: Annotated[Path | None, BeforeValidator(validators.federated_token_file)] = None
    """Instead of a secret: a file with a workload's own token, as Kubernetes mounts it."""
    base_url: Annotated[str | None, BeforeValidator(validators.base_url)] = None
    """The public root of this service, without a slash at its end; None: taken from each request."""
    scopes: Annotated[tuple[str, ...], BeforeValidator(validators.scopes)] = ()
    """The scopes of a sign-in; by default ``openid profile email offline_access <client id>/.default``."""
    session_store: Annotated[str, BeforeValidator(urls.read_session_store)] = "cookie"
    """``cookie``, ``memory`` or the URL of a Redis; a password in it is masked in ``repr`` and dumps."""
    session_secret: Annotated[tuple[SecretStr, ...], BeforeValidator(values.read_session_secrets)] = ()
    """The first encrypts, all decrypt; by default derived from the client secret."""
    session_lifetime: Annotated[timedelta, BeforeValidator(values.read_lifetime)] = timedelta(hours=8)
    """The time after signing in when a session expires, however often it is renewed."""
    cookie_name: Annotated[str, BeforeValidator(values.read_cookie_name)] = "entra_session"
    """The session cookie's name; on https, ``__Host-`` or ``__Secure-`` precedes it."""
    cookie_domain: Annotated[str | None, BeforeValidator(urls.read_cookie_domain)] = None
    """The domain whose hosts share the sign-in; None: this host alone."""
    login_prefix: Annotated[str, BeforeValidator(urls.read_path)] = "/auth"
    """The path of the login pages."""
    callback_path: Annotated[str, BeforeValidator(validators.callback_path)] = ""
    """The path of the redirect URI; by default ``<login prefix>/login-callback``."""
    post_logout_path: Annotated[str, BeforeValidator(validators.post_logout_path)] = ""
    """The path that Entra redirects to after signing out; by default the callback path, a registered one."""
    clock_skew: Annotated[int, BeforeValidator(values.whole_seconds(0, 300, 60))] = 60
    """Seconds of leeway on ``exp``, ``nbf`` and ``iat``."""
    accept_v1_tokens: Flag = False
    """Whether tokens of version 1.0, from ``https://sts.windows.net/<tenant>/``, are accepted, too."""
    allowed_tenants: Annotated[tuple[str, ...], BeforeValidator(validators.allowed_tenants)] = ()
    """Tenant IDs in lower case, for issuers of several tenants; ``("*",)`` for every tenant. ``function``
    stands for those about which ``CamundaEntra(tenant_allowed=...)`` decides."""
    allowed_clients: Annotated[tuple[str, ...], BeforeValidator(values.read_clients)] = ()
    """Client IDs in lower case of which ``azp`` or ``appid`` must be one; empty: any."""
    tenant_type: Annotated[Literal["workforce", "external"], BeforeValidator(validators.tenant_type)] = ""  # type: ignore[assignment]
    """``external`` for customers' tenants (External ID, B2C); by default told by issuer and backend URL."""
    allow_guests: Flag = True
    """Whether guest users of the tenant are let in."""
    group_overage: Annotated[str | None, BeforeValidator(validators.group_overage)] = None
    """The Graph where groups are looked up that a token cannot list; None: such users are refused."""
    token_cache_size: Annotated[int, BeforeValidator(values.number(0, 1_000_000, 10_000))] = 10_000
    """How many verified tokens are cached; 0: none."""
    metadata_lifetime: Annotated[int, BeforeValidator(values.whole_seconds(1, 86_400, 3600))] = 3600
    """Seconds after which discovery document and keys are refreshed in the background."""
    key_retention: Annotated[int, BeforeValidator(values.whole_seconds(0, 604_800, 86_400))] = 86_400
    """Seconds that a signing key outlives documents that lack it; 0: the newest document alone counts."""
    http_timeout: Annotated[float, BeforeValidator(values.seconds(0.1, 60, 5))] = 5.0
    """Seconds for one whole exchange with Entra."""
    http_proxy: Annotated[str | None, BeforeValidator(urls.read_proxy)] = None
    """The proxy for calls to Entra; a password in it is masked in ``repr`` and dumps."""
    ca_bundle: Annotated[Path | None, BeforeValidator(values.read_ca_bundle)] = None
    """A file with the trusted certificates for calls to Entra."""
    allow_lax_certificates: Flag = False
    """Whether certificates may break RFC 5280 in ways that Python refuses by default since 3.13."""
    custom_signing_keys: Flag = False
    """Whether the application has signing keys of its own: documents are requested with ``?appid=``."""
    allow_local_entra: Flag = False
    """Whether an issuer beyond this machine may be the local Entra, which lets everybody be anybody."""

    def __init__(self, **arguments: Any) -> None:
        problems: list[str] = []
        try:
            super().__init__(**arguments_by_field(arguments, self.__class__.model_fields))
        except ValidationError as error:
            problems = _problems_of(error)
        except (OSError, UnicodeDecodeError):
            problems = ["The .env file cannot be read. Save it as UTF-8 text that this process may read."]
        # Not raised inside "except": the cause holds the given values, secrets included.
        if problems:
            raise SettingsError(problems)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: _SettingsClass,
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keyword arguments, then all variables, wherever they are set."""
        variables = VariablesSource(settings_cls, env_settings, dotenv_settings, file_secret_settings)
        return init_settings, variables

    @field_validator("*", mode="before")
    @classmethod
    def _unwrap(cls, value: object) -> object:
        """Values are wrapped before, so that no log shows them."""
        if isinstance(value, InvalidValue):
            raise ValueError(value.problem)
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    @field_serializer(*_WITH_PASSWORDS)
    def _mask(self, value: str | None) -> str | None:
        return value and urls.masked(value)

    def __repr_args__(self) -> "list[tuple[str | None, Any]]":
        """The members of ``repr`` and ``str``, with passwords masked."""
        arguments = super().__repr_args__()
        return [(name, self._mask(value) if name in _WITH_PASSWORDS else value) for name, value in arguments]

    def login_paths(self, prefix: str | None, callback_path: str | None) -> tuple[str, str, str]:
        """Prefix, callback path and post-logout path, by code or else by the environment.

        Raises:
            ValueError: An argument is not a path.
        """
        callback = self.callback_path
        if prefix is not None and callback == f"{self.login_prefix}/login-callback":
            callback = f"{prefix}/login-callback"
        callback = urls.read_path(callback if callback_path is None else callback_path)
        is_callback = self.post_logout_path == self.callback_path
        return (
            self.login_prefix if prefix is None else urls.read_path(prefix),
            callback,
            callback if is_callback else self.post_logout_path,
        )

    @property
    def is_multi_tenant(self) -> bool:
        """Whether the issuer stands for several tenants."""
        return issuers.is_multi_tenant(self.issuer)

    @property
    def tenant(self) -> str | None:
        """The issuer's tenant, a GUID or a domain in lower case; None for several tenants."""
        return issuers.tenant_of(self.issuer)

    @property
    def issuer_template(self) -> str:
        """The issuer of tokens, with ``{tenantid}`` where it stands for several tenants."""
        return issuers.template_of(self.issuer)

    @property
    def authorization_url(self) -> str:
        """The authorization endpoint, derived from the issuer without network."""
        return issuers.endpoint_of(self.issuer, self.issuer_backend_url, "authorize")

    @property
    def end_session_url(self) -> str:
        """The end session endpoint, derived from the issuer without network."""
        return issuers.endpoint_of(self.issuer, self.issuer_backend_url, "logout")

    @property
    def admin_consent_url(self) -> str:
        """The admin consent endpoint, derived from the issuer without network."""
        return issuers.admin_consent_url_of(self.authorization_url)

    @property
    def token_url(self) -> str:
        """The token endpoint for browsers, derived from the issuer without network."""
        return issuers.endpoint_of(self.issuer, self.issuer_backend_url, "token")


def _problems_of(error: ValidationError) -> list[str]:
    """The problems of all mistakes, in the order of README's table."""
    details = sorted(error.errors(include_url=False), key=lambda one: one["loc"] == ("allow_http",))
    return [_problem_of(one) for one in details]


def _problem_of(details: ErrorDetails) -> str:
    field = str(details["loc"][0])
    if isinstance(mistake := details["input"], InvalidValue):
        return mistake.problem
    if details["type"] == "extra_forbidden":
        nearest = nearest_of(field, EntraSettings.model_fields)
        meant = f"Remove it, or did you mean {nearest}?" if nearest else f"Remove it. {SETTINGS_PAGE}"
        return f"{quoted(field, 80)} is not a setting. {meant}"
    variable = getattr(details["input"], "variable", variables_of(field)[0])
    if details["type"] == "missing":
        return f"{variable} is not set. {_REMEDIES[field]}"
    return f"{variable} {details['ctx']['error']}"
