"""``EntraSettings``: the settings of the environment, validated once, as frozen values."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, SecretStr, ValidationError, field_serializer, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.settings import cookies, hosts, urls, validators, values
from camunda_entra_fastapi.settings.derived import DerivedSettings
from camunda_entra_fastapi.settings.groups import Group
from camunda_entra_fastapi.settings.problems import problems_of
from camunda_entra_fastapi.settings.sources import (
    InvalidValue,
    VariablesSource,
    arguments_by_field,
)

_WITH_PASSWORDS: Final = ("session_store", "http_proxy")

Flag = Annotated[bool, BeforeValidator(values.read_flag)]
_SettingsClass = type[BaseSettings]  # in the class below, "type" is a field


class EntraSettings(DerivedSettings, BaseSettings):
    """Which tenant and application registration to trust, and how.

    Read from keyword arguments, the environment, ``.env`` in the working directory, and one file per
    variable in the folder that ``CAMUNDA_ENTRA_SECRETS_DIR`` names; the first that has a value wins.
    The first six fields are ``CAMUNDA_IDENTITY_<NAME>``, all others ``CAMUNDA_ENTRA_<NAME>``. Keyword
    arguments have the names of the fields or of the variables, in any case.

    The text below each field is that of the documentation's page of settings, in Markdown.

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

    allow_http: Annotated[Flag, Group.NETWORK] = False
    """Whether plain `http` is accepted beyond this machine, for tests in a closed network.

    On this machine (`localhost`, `127.0.0.0/8`, `::1`) it is always accepted.
    """

    type: Annotated[Literal["AZUREAD", "MICROSOFT"], BeforeValidator(values.read_type), Group.MUST_HAVE]
    """`AZUREAD`, or its later name `MICROSOFT`, in any case. Both mean Microsoft Entra ID."""
    issuer: Annotated[str, BeforeValidator(validators.issuer), Group.MUST_HAVE]
    """The issuer of your tenant's tokens. The claim `iss` must be equal to it, to the letter.

    It names the tenant by its ID. One that names a domain is refused, and the message gives the right form.
    An issuer for several tenants ends in `/common/v2.0` or `/organizations/v2.0`, or has `{tenantid}`.
    """
    issuer_backend_url: Annotated[str, BeforeValidator(validators.backend_url), Group.MUST_HAVE] = ""
    """Where this service reaches Entra: discovery document, keys, token endpoint.

    Endpoints under the issuer's origin are moved onto it. Browsers are sent to the issuer.
    """
    client_id: Annotated[str, BeforeValidator(values.read_client_id), Group.MUST_HAVE]
    """The *Application (client) ID* of this service's registration."""
    client_secret: Annotated[SecretStr | None, BeforeValidator(values.read_secret), Group.MUST_HAVE] = None
    """The *Value* of a client secret, not its *Secret ID*.

    Signing in with a browser and tokens for other services need it. Protecting an API does not.
    A certificate or a workload identity may take its place.
    """
    audience: Annotated[tuple[str, ...], BeforeValidator(validators.audience), Group.MUST_HAVE] = ()
    """What the claim `aud` must be; several values are separated by commas.

    Tokens of version 2.0 have the client ID there.
    """
    client_certificate: Annotated[Path | None, BeforeValidator(validators.client_certificate), Group.RARE] = (
        None
    )
    """Instead of a client secret: a file with a certificate and its RSA key, PEM or PKCS#12.

    The file is read again when it changes. While it is missing or wrong, the last one is used.
    """
    client_certificate_password: Annotated[
        SecretStr | None, BeforeValidator(values.read_secret), Group.RARE
    ] = None
    """The password that the certificate's key is encrypted with."""
    client_assertion_algorithm: Annotated[
        Literal["PS256", "RS256"], BeforeValidator(values.read_assertion_algorithm), Group.RARE
    ] = "PS256"
    """How assertions are signed with the certificate: `PS256` with `x5t#S256`, or `RS256` with `x5t`.

    `RS256` is for clouds that do not accept `PS256`.
    """
    federated_token_file: Annotated[
        Path | None, BeforeValidator(validators.federated_token_file), Group.RARE
    ] = None
    """Instead of a client secret: a file with a workload's own token. It is read anew for each request.

    Where nothing else proves who this service is, the file of `AZURE_FEDERATED_TOKEN_FILE` is used.
    Azure's webhook for Kubernetes sets that variable.
    """
    base_url: Annotated[str | None, BeforeValidator(validators.base_url), Group.SIGN_IN] = None
    """The public root of this service, as browsers see it. Behind a proxy it is needed.

    Without it, the address is taken from each request. Redirect URIs are made of it.
    """
    scopes: Annotated[tuple[str, ...], BeforeValidator(validators.scopes), Group.SIGN_IN] = ()
    """What signing in asks for, separated by blanks.

    Without `profile`, Entra's ID tokens have neither `oid` nor `name` nor `preferred_username`.
    """
    session_store: Annotated[str, BeforeValidator(urls.read_session_store), Group.SESSIONS] = "cookie"
    """Where sessions are: `cookie`, `memory` or the URL of a Redis.

    `memory` is for one process: several workers do not know each other's sessions. A password in the URL is
    masked in `repr` and dumps.
    """
    session_lease: Annotated[int, BeforeValidator(values.whole_seconds(0, 10, 2)), Group.SESSIONS] = 0
    """Seconds for which a process may use its own copy of a session that is in a Redis; `0`: none.

    The Redis tells of changes at once. The seconds count where its connection hangs. 10 at most.
    """
    session_secret: Annotated[
        tuple[SecretStr, ...], BeforeValidator(values.read_session_secrets), Group.SESSIONS
    ] = ()
    """One secret or more, separated by commas: the first encrypts sessions, all of them decrypt.

    Without it, the secret is derived from the client secret. Then a new client secret signs everybody out.
    """
    session_lifetime: Annotated[timedelta, BeforeValidator(values.read_lifetime), Group.SESSIONS] = timedelta(
        hours=8
    )
    """How long after signing in people must sign in again, however often the session was renewed."""
    cookie_name: Annotated[str, BeforeValidator(cookies.read_cookie_name), Group.SESSIONS] = ""
    """The session cookie's name. On https, `__Host-` is put before it.

    Without it: `entra_session_` and eight characters that follow from issuer and client ID, so that services
    on one host do not end each other's sign-ins. Names of sign-ins in progress begin with it, too.
    With a cookie domain, `__Secure-` takes the place of `__Host-`.
    """
    cookie_domain: Annotated[str | None, BeforeValidator(cookies.read_cookie_domain), Group.SESSIONS] = None
    """A domain whose hosts share the sign-in. Without it, the cookie is for this host alone.

    The base URL's host must be in it.
    """
    cookie_same_site: Annotated[
        Literal["lax", "none"], BeforeValidator(cookies.read_cookie_same_site), Group.SESSIONS
    ] = "lax"
    """`none` where pages of other sites show this service in a frame: then cookies are `Partitioned`, too.

    They need https.
    """
    frame_ancestors: Annotated[
        tuple[str, ...], BeforeValidator(cookies.read_frame_ancestors), Group.SIGN_IN
    ] = ()
    """Origins whose pages may show the login and error pages in a frame, separated by commas.

    People in a frame then sign in in a window of its own. Without it, no page may.
    """
    login_prefix: Annotated[str, BeforeValidator(urls.read_path), Group.SIGN_IN] = "/auth"
    """The path that the pages for signing in and out are under."""
    callback_path: Annotated[str, BeforeValidator(validators.callback_path), Group.SIGN_IN] = ""
    """The path of the redirect URI. Without it: `login-callback` under the login prefix."""
    post_logout_path: Annotated[str, BeforeValidator(validators.post_logout_path), Group.SIGN_IN] = ""
    """The path that Entra sends people to after signing out. Without it: the callback path.

    The whole address must be a registered redirect URI.
    """
    return_to_hosts: Annotated[
        tuple[str, ...], BeforeValidator(hosts.read_return_to_hosts), Group.SIGN_IN
    ] = ()
    """Further hosts that people may return to after signing in, by exact names, separated by commas.

    Those of the cookie domain need no entry. Links to the login page have a whole address in `return_to`.
    """
    clock_skew: Annotated[int, BeforeValidator(values.whole_seconds(0, 300, 60)), Group.LET_IN] = 60
    """Seconds of leeway on the claims `exp`, `nbf` and `iat`."""
    accept_v1_tokens: Annotated[Flag, Group.LET_IN] = False
    """Whether tokens of version 1.0, from `https://sts.windows.net/<tenant ID>/`, are accepted, too.

    Their audience is often `api://<client ID>`: then add that to `CAMUNDA_IDENTITY_AUDIENCE`.
    """
    allowed_tenants: Annotated[
        tuple[str, ...], BeforeValidator(validators.allowed_tenants), Group.LET_IN
    ] = ()
    """The IDs of the tenants that are let in, separated by commas, for an issuer of several tenants.

    `*` lets in every tenant; with an issuer of `/organizations`, every one but that of personal accounts.
    `function` stands for those about which `CamundaEntra(tenant_allowed=...)` decides.
    """
    allowed_clients: Annotated[tuple[str, ...], BeforeValidator(values.read_clients), Group.LET_IN] = ()
    """The IDs of the only clients that are let in (claims `azp`, `appid`), separated by commas.

    Without it, every client is let in. The clients of the list need no app role of their own.
    """
    tenant_type: Annotated[
        Literal["workforce", "external"], BeforeValidator(validators.tenant_type), Group.RARE
    ] = ""  # type: ignore[assignment]
    """`external` for customers' tenants (External ID, B2C), `workforce` for employees.

    Issuer and backend URL tell it, unless both are at a domain of their own.
    """
    allow_guests: Annotated[Flag, Group.LET_IN] = True
    """Whether guest users of the tenant are let in."""
    group_overage: Annotated[str | None, BeforeValidator(validators.group_overage), Group.LET_IN] = None
    """What happens to people in more groups than a token lists: `refuse`, or `graph` looks the groups up.

    The address of a Microsoft Graph may stand in place of `graph`.
    """
    websocket_protocol_tokens: Annotated[Flag, Group.LET_IN] = False
    """Whether WebSockets may bring their token in `Sec-WebSocket-Protocol`, as scripts of browsers can.

    The token is a subprotocol of its own: `bearer.<token>`, or as Kubernetes and Azure write it.
    """
    token_cache_size: Annotated[int, BeforeValidator(values.number(0, 1_000_000, 10_000)), Group.RARE] = (
        10_000
    )
    """How many verified tokens are cached in each process; `0` turns the cache off."""
    metadata_lifetime: Annotated[int, BeforeValidator(values.whole_seconds(1, 86_400, 3600)), Group.RARE] = (
        3600
    )
    """Seconds after which discovery document and keys are refreshed in the background."""
    key_retention: Annotated[int, BeforeValidator(values.whole_seconds(0, 604_800, 86_400)), Group.RARE] = (
        86_400
    )
    """Seconds that a signing key outlives documents that lack it; `0`: the newest document alone counts."""
    http_timeout: Annotated[float, BeforeValidator(values.seconds(0.1, 60, 5)), Group.NETWORK] = 5.0
    """Seconds for one whole exchange with Entra."""
    http_proxy: Annotated[str | None, BeforeValidator(urls.read_proxy), Group.NETWORK] = None
    """The proxy for calls to Entra. A password in it is masked in `repr` and dumps.

    Without it, `HTTPS_PROXY` and its like count.
    """
    ca_bundle: Annotated[Path | None, BeforeValidator(values.read_ca_bundle), Group.NETWORK] = None
    """A PEM file with the certificates to trust in calls to Entra. Without it, those of certifi count."""
    allow_lax_certificates: Annotated[Flag, Group.NETWORK] = False
    """Whether certificates of trusted authorities may break RFC 5280, as Python let them before 3.13.

    Some proxies that read TLS issue such certificates.
    """
    custom_signing_keys: Annotated[Flag, Group.RARE] = False
    """Whether the application has signing keys of its own (claims mapping).

    Documents are then requested with `?appid=`.
    """
    documentation_url: Annotated[str | None, BeforeValidator(validators.documentation_url), Group.RARE] = None
    """Where the documentation of this package is published, by you or somebody else.

    Challenges then have `error_uri`, and the log line of a refusal ends with the address of its code.
    """
    allow_local_entra: Annotated[Flag, Group.RARE] = False
    """Whether an issuer beyond this machine may be the local Entra, which lets everybody be anybody."""

    def __init__(self, **arguments: Any) -> None:
        problems: list[str] = []
        try:
            super().__init__(**arguments_by_field(arguments, self.__class__.model_fields))
        except ValidationError as error:
            problems = problems_of(error, self.__class__.model_fields)
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
