"""A Camunda component's own configuration: where its values stand, in the environment and in Helm.

The names are from Camunda 8 Docs: "Set up the Helm chart with an external Microsoft Entra tenant" (8.8 to
8.10), "Connect Management Identity to an identity provider" (8.10), "Connect to an OpenID Connect provider"
(8.7) and the properties of the Orchestration Cluster (8.10).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from camunda_entra_fastapi.cli.findings import Finding, State, printable
from camunda_entra_fastapi.settings.orchestration import PREFIX as OIDC
from camunda_entra_fastapi.settings.sources import clean

_DOCS: Final = "https://docs.camunda.io/docs/self-managed"
_HELM_GUIDES: Final = f"{_DOCS}/deployment/helm/configure/authentication-and-authorization"
CONNECT: Final = f"{_DOCS}/components/orchestration-cluster/admin/connect-external-identity-provider/"
GUIDE: Final = f"{_HELM_GUIDES}/microsoft-entra/"
TROUBLE: Final = f"{_HELM_GUIDES}/troubleshooting-oidc/"
USER_INFO: Final = "https://github.com/camunda/camunda/issues/58310"
_GUIDE_87: Final = "https://docs.camunda.io/docs/8.7/self-managed/setup/guides/connect-to-an-oidc-provider/"
_GUIDE_IDENTITY: Final = f"{_DOCS}/components/management-identity/configuration/connect-to-an-oidc-provider/"
HEADER_SIZE: Final = "SERVER_MAXHTTPREQUESTHEADERSIZE"


class ComponentName(StrEnum):
    """The components whose configuration is examined."""

    ORCHESTRATION = "orchestration"
    IDENTITY = "identity"
    OPTIMIZE = "optimize"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: its variables, of which the first that is set counts, and its Helm value."""

    helm: str
    variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """A component: its callback path, the page that tells how to connect it, and its values by topic."""

    callback: str
    guide: str
    places: Mapping[str, Place]


def _optimize(own: str, since_810: str = "", shared: str = "") -> tuple[str, ...]:
    """Optimize's variables: its own, those of 8.10, and those that all components had."""
    newer = (OIDC + since_810,) if since_810 else ()
    return (f"CAMUNDA_OPTIMIZE_IDENTITY_{own}", *newer, f"CAMUNDA_IDENTITY_{shared or own}")


_AUTH: Final = "global.identity.auth"
_OC: Final = "orchestration.security.authentication.oidc"
COMPONENTS: Final[Mapping[ComponentName, Component]] = {
    ComponentName.ORCHESTRATION: Component(
        "/sso-callback",
        GUIDE,
        {
            "method": Place(
                "global.security.authentication.method", ("CAMUNDA_SECURITY_AUTHENTICATION_METHOD",)
            ),
            "issuer": Place(f"{_AUTH}.issuer", (f"{OIDC}ISSUERURI",)),
            "client": Place(f"{_OC}.clientId", (f"{OIDC}CLIENTID",)),
            "secret": Place(f"{_OC}.secret.existingSecret", (f"{OIDC}CLIENTSECRET",)),
            "audience": Place(f"{_OC}.audience", (f"{OIDC}AUDIENCES",)),
            "redirect": Place(f"{_OC}.redirectUrl", (f"{OIDC}REDIRECTURI",)),
            "scope": Place(f"{_OC}.scope", (f"{OIDC}SCOPE",)),
            "username": Place(f"{_OC}.usernameClaim", (f"{OIDC}USERNAMECLAIM",)),
            "client claim": Place(f"{_OC}.clientIdClaim", (f"{OIDC}CLIENTIDCLAIM",)),
            "prefer": Place(f"{_OC}.preferUsernameClaim", (f"{OIDC}PREFERUSERNAMECLAIM",)),
            "user info": Place("orchestration.env", (f"{OIDC}USERINFOENABLED",)),
            "groups": Place("orchestration.env", (f"{OIDC}GROUPSCLAIM",)),
            "header": Place("orchestration.env", (HEADER_SIZE,)),
        },
    ),
    ComponentName.IDENTITY: Component(
        "/auth/login-callback",
        _GUIDE_IDENTITY,
        {
            "issuer": Place(f"{_AUTH}.issuer", ("CAMUNDA_IDENTITY_ISSUER",)),
            "backend": Place(f"{_AUTH}.issuerBackendUrl", ("CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",)),
            "client": Place(f"{_AUTH}.identity.clientId", ("CAMUNDA_IDENTITY_CLIENT_ID",)),
            "secret": Place(f"{_AUTH}.identity.secret.existingSecret", ("CAMUNDA_IDENTITY_CLIENT_SECRET",)),
            "audience": Place(f"{_AUTH}.identity.audience", ("CAMUNDA_IDENTITY_AUDIENCE",)),
            "redirect": Place(f"{_AUTH}.identity.redirectUrl", ("IDENTITY_URL", "CAMUNDA_IDENTITY_BASE_URL")),
            "header": Place("identity.env", (HEADER_SIZE,)),
        },
    ),
    ComponentName.OPTIMIZE: Component(
        "/api/authentication/callback",
        _GUIDE_IDENTITY,
        {
            "issuer": Place(f"{_AUTH}.issuer", _optimize("ISSUER_URL", "ISSUERURI", "ISSUER")),
            "backend": Place(f"{_AUTH}.issuerBackendUrl", _optimize("ISSUER_BACKEND_URL")),
            "client": Place(f"{_AUTH}.optimize.clientId", _optimize("CLIENTID", "CLIENTID", "CLIENT_ID")),
            "secret": Place(
                f"{_AUTH}.optimize.secret.existingSecret",
                _optimize("CLIENTSECRET", "CLIENTSECRET", "CLIENT_SECRET"),
            ),
            "audience": Place(f"{_AUTH}.optimize.audience", _optimize("AUDIENCE", "AUDIENCES")),
            "redirect": Place(f"{_AUTH}.optimize.redirectUrl", _optimize("REDIRECT_ROOT_URL", "REDIRECTURI")),
            "header": Place("optimize.env", (HEADER_SIZE,)),
        },
    ),
    ComponentName.OPERATE: Component(
        "/identity-callback",
        _GUIDE_87,
        {
            "issuer": Place(f"{_AUTH}.issuer", ("CAMUNDA_IDENTITY_ISSUER",)),
            "backend": Place(f"{_AUTH}.issuerBackendUrl", ("CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",)),
            "client": Place(f"{_AUTH}.operate.clientId", ("CAMUNDA_IDENTITY_CLIENT_ID",)),
            "secret": Place(f"{_AUTH}.operate.existingSecret", ("CAMUNDA_IDENTITY_CLIENT_SECRET",)),
            "audience": Place(f"{_AUTH}.operate.audience", ("CAMUNDA_IDENTITY_AUDIENCE",)),
            "redirect": Place(
                f"{_AUTH}.operate.redirectUrl", ("CAMUNDA_OPERATE_IDENTITY_REDIRECT_ROOT_URL",)
            ),
            "header": Place("operate.env", (HEADER_SIZE,)),
        },
    ),
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the variables say of one component."""

    name: ComponentName
    _values: Mapping[str, str] = field(repr=False)
    """By name without underscores: Spring takes them for hyphens, or does without."""

    @classmethod
    def of(cls, name: ComponentName, variables: Mapping[str, str]) -> "Configuration":
        """The configuration in these variables."""
        cleaned = {_key(each): clean(value) for each, value in variables.items()}
        return cls(name, {each: value for each, value in cleaned.items() if value})

    @property
    def component(self) -> Component:
        """Where its values stand."""
        return COMPONENTS[self.name]

    @property
    def is_of_cluster(self) -> bool:
        """Whether these are Operate's, and say how the Orchestration Cluster signs in."""
        return self.name is ComponentName.OPERATE and _key(f"{OIDC}ISSUERURI") in self._values

    def variable(self, topic: str) -> str:
        """The variable that says it, or else the one that should."""
        variables = self.component.places[topic].variables
        return next((each for each in variables if _key(each) in self._values), variables[0])

    def value(self, topic: str) -> str:
        """What it says; empty for nothing."""
        return self._values.get(_key(self.variable(topic)), "") if topic in self.component.places else ""

    def entries(self, topic: str) -> list[str]:
        """What it says, as a list."""
        numbered = [self._values.get(f"{_key(self.variable(topic))}{number}", "") for number in range(10)]
        texts = [*self.value(topic).strip("[]").split(","), *numbered]
        return [text for text in (each.strip(" \"'") for each in texts) if text]

    def others_with(self, audience: str) -> dict[str, ComponentName]:
        """Other components' variables, among these, with this audience."""
        own = _key(self.variable("audience"))
        found: dict[str, ComponentName] = {}
        for name, component in COMPONENTS.items():
            for variable in component.places["audience"].variables:
                if (
                    name is not self.name
                    and _key(variable) != own
                    and self._values.get(_key(variable)) == audience
                ):
                    found.setdefault(variable, name)
        return found


def finding(
    configuration: Configuration,
    topic: str,
    state: State,
    message: str,
    remedy: str = "",
    code: str = "",
    *,
    documentation: str = "",
    expected: str = "",
    actual: str = "",
) -> Finding:
    """A finding about a value, with where it stands."""
    return Finding(
        topic,
        state,
        message,
        remedy,
        code,
        expected=expected,
        actual="" if "@" in actual else printable(actual),  # it may hold a password
        setting=configuration.variable(topic),
        helm=configuration.component.places[topic].helm,
        documentation=documentation or configuration.component.guide,
    )


def _key(variable: str) -> str:
    return variable.upper().replace("_", "")
