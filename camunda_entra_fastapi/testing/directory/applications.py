"""App registrations with their service principals."""

from collections.abc import Mapping
from dataclasses import field
from typing import Final, Literal

from pydantic import AwareDatetime
from pydantic.dataclasses import dataclass

from camunda_entra_fastapi.testing.directory.shapes import (
    STRICT,
    CertificatePem,
    DerivedGuid,
    Guid,
    Name,
    RedirectUri,
    derived_guid,
)

Platform = Literal["web", "spa", "public"]
Audience = Literal[
    "AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"
]
GroupClaims = Literal["None", "SecurityGroup", "ApplicationGroup", "DirectoryRole", "All"]

AccessTokenClaim = Literal[
    "acct",
    "acrs",
    "aud:use_guid",
    "auth_time",
    "email",
    "family_name",
    "given_name",
    "idtyp",
    "idtyp:include_user_token",
    "login_hint",
    "preferred_username",
    "sid",
    "upn",
    "xms_cc",
]
IdTokenClaim = Literal[
    "acct", "acrs", "auth_time", "email", "family_name", "given_name", "login_hint", "sid", "upn"
]


_V2: Final = 2


@dataclass(frozen=True, slots=True, config=STRICT)
class Secret:
    """A client secret: its value, and when it expires (None for never)."""

    value: Name = field(repr=False)
    expires: AwareDatetime | None = None

    def has_expired(self, now: float) -> bool:
        """Whether it has expired at that time, in seconds since 1970."""
        return self.expires is not None and self.expires.timestamp() <= now


@dataclass(frozen=True, slots=True, config=STRICT)
class Scope:
    """A delegated permission that an application exposes.

    Attributes:
        value: The permission as ``scp`` has it.
        description: The text on the consent page.
        admin_only: Whether only administrators may consent.
    """

    value: Name
    description: str = ""
    admin_only: bool = False


@dataclass(frozen=True, slots=True, config=STRICT)
class FederatedCredential:
    """An issuer whose tokens replace a secret (Learn: workload identity federation); compared exactly."""

    issuer: Name
    subject: Name
    audience: Name = "api://AzureADTokenExchange"
    name: str = ""


@dataclass(frozen=True, slots=True, config=STRICT)
class OptionalClaims:
    """Claims that tokens have on request of their audience's registration (Learn: optional claims).

    An additional property is written behind a colon: ``idtyp:include_user_token``.
    """

    access_token: tuple[AccessTokenClaim, ...] = ()
    id_token: tuple[IdTokenClaim, ...] = ()


@dataclass(frozen=True, slots=True, config=STRICT)
class Application:
    """An app registration with its service principal.

    Attributes:
        client_id: The application (client) ID.
        name: The display name.
        secrets: Client secrets; expired ones are refused (AADSTS7000222).
        redirect_uris: The redirect URIs, each with its platform.
        identifier_uris: App ID URIs, by which scopes name it besides the client ID.
        scopes: The delegated permissions that it exposes.
        app_roles: The roles that it defines, for users and applications.
        granted_roles: Roles of other applications granted to it, by their client IDs.
        requested_access_token_version: 2, or 1 or None for tokens of version 1.0.
        id: The service principal's object ID; derived from the client ID when left out.
        certificates: Certificates in PEM whose keys sign client assertions.
        federated_credentials: The issuers whose tokens it may send in place of a secret.
        permissions: The delegated permissions that its registration lists, by the client IDs of the
            resources; ``.default`` requests them. None lists all that there are.
        admin_consent: Whether an administrator has consented to all that it may request, for everybody.
        preauthorized: Clients, by their IDs, that need no consent for its scopes.
        optional_claims: More claims in tokens.
        group_membership_claims: The groups that tokens have, as in the registration's manifest.
        assignment_required: Whether only assigned users and applications get tokens for it.
        assigned: Users (ID or username), groups (ID or name) and applications (client ID) assigned to it.
            A user or application with a role is assigned, too.
        sign_in_audience: The accounts that may sign in.
        id_token_issuance: Whether the authorization endpoint may issue ID tokens.
        access_token_issuance: Whether it may issue access tokens (the implicit flow).
        allow_public_client: Whether it may use the device code flow without a secret.
        logout_url: The URL that is called when a user signs out (front-channel logout).
        enabled: Whether it may be used (else AADSTS7000112).
    """

    client_id: Guid
    name: Name
    secrets: tuple[Name | Secret, ...] = field(default=(), repr=False)
    redirect_uris: Mapping[RedirectUri, Platform] = field(default_factory=dict)
    identifier_uris: tuple[Name, ...] = ()
    scopes: tuple[Name | Scope, ...] = ()
    app_roles: tuple[Name, ...] = ()
    granted_roles: Mapping[Guid, tuple[Name, ...]] = field(default_factory=dict)
    requested_access_token_version: Literal[1, 2] | None = 2
    id: DerivedGuid = ""
    certificates: tuple[CertificatePem, ...] = field(default=(), repr=False)
    federated_credentials: tuple[FederatedCredential, ...] = ()
    permissions: Mapping[Guid, tuple[Name, ...]] | None = None
    admin_consent: bool = True
    preauthorized: tuple[Guid, ...] = ()
    optional_claims: OptionalClaims = field(default_factory=OptionalClaims)
    group_membership_claims: GroupClaims = "None"
    assignment_required: bool = False
    assigned: tuple[Name, ...] = ()
    sign_in_audience: Audience = "AzureADMyOrg"
    id_token_issuance: bool = False
    access_token_issuance: bool = False
    allow_public_client: bool = False
    logout_url: RedirectUri | None = None
    enabled: bool = True

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", derived_guid("service principal", self.client_id))
        if self.for_personal_accounts and self.requested_access_token_version != _V2:
            raise ValueError(
                "requested_access_token_version must be 2 where sign_in_audience has personal accounts"
            )

    @property
    def for_personal_accounts(self) -> bool:
        """Whether users may sign in with a personal Microsoft account."""
        return "Personal" in self.sign_in_audience

    @property
    def for_many_tenants(self) -> bool:
        """Whether users of other tenants may sign in."""
        return self.sign_in_audience in ("AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount")

    @property
    def is_confidential(self) -> bool:
        """Whether it has credentials of any kind."""
        return bool(self.secrets or self.certificates or self.federated_credentials)

    @property
    def known_secrets(self) -> tuple[Secret, ...]:
        """The secrets, each with its expiry."""
        return tuple(each if isinstance(each, Secret) else Secret(each) for each in self.secrets)

    @property
    def exposed(self) -> dict[str, Scope]:
        """The delegated permissions by their values."""
        scopes = (each if isinstance(each, Scope) else Scope(each) for each in self.scopes)
        return {scope.value: scope for scope in scopes}

    def listed(self, resource: "Application") -> tuple[str, ...]:
        """The resource's delegated permissions that this registration lists."""
        if self.permissions is None:
            return tuple(name for name, scope in resource.exposed.items() if not scope.admin_only)
        return self.permissions.get(resource.client_id, ())
