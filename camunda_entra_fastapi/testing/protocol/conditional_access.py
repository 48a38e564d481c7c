"""What Conditional Access demands, and what a claims request asks for (Learn: claims challenges)."""

import json
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.testing.directory import Application, ConditionalAccess, Tenant, User
from camunda_entra_fastapi.testing.directory.shapes import derived_guid
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts

_MAX_CLAIMS: Final = 4096
_CONTINUOUS: Final = "cp1"


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """The parameter ``claims``, as far as it is known here.

    Attributes:
        contexts: Authentication contexts that the access token must name in ``acrs``.
        continuous: Whether the client can handle claims challenges.
        of_id_token: Claims that the ID token shall have, registered or not.
        policies: The IDs of policies that the sign-in shall satisfy, for whatever resource they are.
    """

    contexts: tuple[str, ...] = ()
    continuous: bool = False
    of_id_token: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()


def read_claims(text: str | None) -> ClaimsRequest:
    """Understand the parameter (OpenID Connect Core, 5.5). What is unknown is ignored, as the rules say.

    Raises:
        Aadsts: 9000410, it is not JSON of that form.
    """
    if text is None:
        return ClaimsRequest()
    try:
        if len(text) > _MAX_CLAIMS:
            raise ValueError
        members = json.loads(text)
        wanted = _requests(members, "access_token")
        contexts = _values(wanted.get("acrs"))
        of_id_token = frozenset(_requests(members, "id_token"))
        policies = frozenset(_values(wanted.get("capolids")) + _values(wanted.get("polids")))
        continuous = _CONTINUOUS in (value.lower() for value in _values(wanted.get("xms_cc")))
    except (ValueError, AttributeError, RecursionError):
        raise Aadsts(
            9000410,
            "invalid_request",
            "The parameter 'claims' is not a JSON object of claims requests. Send JSON as it is, not base64.",
        ) from None
    return ClaimsRequest(contexts, continuous, of_id_token, policies)


def id_of(policy: ConditionalAccess) -> str:
    """What a policy is known by."""
    return derived_guid("policy", repr(policy))


@dataclass(frozen=True, slots=True)
class Demand:
    """What has to be there before a person gets a token for a resource."""

    tenant: Tenant
    user: User
    resource: Application
    contexts: tuple[str, ...]
    named: frozenset[str] = frozenset()

    @property
    def policies(self) -> list[ConditionalAccess]:
        """The policies that hold here."""
        return [
            policy
            for policy in self.tenant.policies
            if id_of(policy) in self.named
            or (
                (policy.context is None or policy.context in self.contexts)
                and policy.concerns(self.user, self.resource)
            )
        ]

    @property
    def needs_second_factor(self) -> bool:
        """Whether one of them wants a second factor."""
        return any(policy.requires == "mfa" for policy in self.policies)

    def refuse_blocked(self) -> None:
        """Refuse what no sign-in could ever have.

        Raises:
            Aadsts: 53003; 50079, a second factor is demanded and none registered.
        """
        if any(policy.requires == "block" for policy in self.policies):
            raise Aadsts(
                53003,
                "interaction_required",
                f"A policy of '{self.tenant.name}' keeps {self.user.name} from '{self.resource.name}'.",
                suberror="message_only",
                claims=self.challenge("capolids"),
            )
        if self.needs_second_factor and not self.user.second_factor:
            raise Aadsts(
                50079,
                "interaction_required",
                f"A policy demands a second factor for '{self.resource.name}', and {self.user.name} "
                "has registered none.",
                claims=self.challenge("polids"),
            )

    def refuse_silence(self, *, second_factor: bool) -> None:
        """Refuse where nobody can be asked for a second factor that is missing.

        Raises:
            Aadsts: 50076, or those of ``refuse_blocked``.
        """
        self.refuse_blocked()
        if self.needs_second_factor and not second_factor:
            raise Aadsts(
                50076,
                "interaction_required",
                f"A policy demands a second factor for '{self.resource.name}'. Let the person sign in.",
                suberror="basic_action",
                claims=self.challenge("capolids"),
            )

    def challenge(self, kind: str) -> str:
        """The claims that the next sign-in must bring: the contexts asked for, else the policies' IDs."""
        member: dict[str, Any] = {"essential": True}
        if self.contexts:
            kind, member["values"] = "acrs", list(self.contexts)
        else:
            member["values"] = [id_of(policy) for policy in self.policies]
        return json.dumps({"access_token": {kind: member}}, separators=(",", ":"))


def _requests(members: dict[str, Any], name: str) -> dict[str, Any]:
    """The requests for claims of one token, by name."""
    found = members.get(name)
    if not isinstance(found, dict | None):
        raise ValueError
    return found or {}


def _values(request: Any) -> tuple[str, ...]:
    """What a single claim's request names: ``value`` or ``values``."""
    if request is None:
        return ()
    found = request.get("values", [request["value"]] if "value" in request else [])
    if not isinstance(found, list) or not all(isinstance(value, str) for value in found):
        raise ValueError
    return tuple(found)
