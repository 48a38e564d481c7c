"""Conditional Access policies, and the ``claims`` parameter (Learn: claims challenges)."""

import json
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.testing.directory import Application, ConditionalAccess, Tenant, User
from camunda_entra_fastapi.testing.directory.shapes import derived_guid
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError

_MAX_CLAIMS: Final = 4096
_CAE_CAPABILITY: Final = "cp1"


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """The parameter ``claims``, as far as the emulator supports it.

    Attributes:
        contexts: Authentication contexts that the access token must name in ``acrs``.
        cae_capable: Whether the client can handle claims challenges (``cp1``).
        id_token_claims: Claims that the ID token must have, registered or not.
        policy_ids: The policies that the sign-in must satisfy, whatever their resource.
    """

    contexts: tuple[str, ...] = ()
    cae_capable: bool = False
    id_token_claims: frozenset[str] = frozenset()
    policy_ids: frozenset[str] = frozenset()


def parse_claims(text: str | None) -> ClaimsRequest:
    """Parse the parameter (OpenID Connect Core, 5.5). Unknown members are ignored, as the rules say.

    Raises:
        AadstsError: 9000410, it is not JSON of that form.
    """
    if text is None:
        return ClaimsRequest()
    try:
        if len(text) > _MAX_CLAIMS:
            raise ValueError
        members = json.loads(text)
        requested = _claims_requests(members, "access_token")
        contexts = _values(requested.get("acrs"))
        id_token_claims = frozenset(_claims_requests(members, "id_token"))
        policy_ids = frozenset(_values(requested.get("capolids")) + _values(requested.get("polids")))
        cae_capable = _CAE_CAPABILITY in (value.lower() for value in _values(requested.get("xms_cc")))
    except (ValueError, AttributeError, RecursionError):
        raise AadstsError(
            9000410,
            "invalid_request",
            "The parameter 'claims' is not a JSON object of claims requests. Send JSON as it is, not base64.",
        ) from None
    return ClaimsRequest(contexts, cae_capable, id_token_claims, policy_ids)


def policy_id(policy: ConditionalAccess) -> str:
    """The ID of a policy, as claims challenges name it."""
    return derived_guid("policy", repr(policy))


@dataclass(frozen=True, slots=True)
class PolicyEvaluation:
    """The policies that apply to a user's token for a resource.

    Attributes:
        tenant: The tenant whose policies are evaluated.
        user: The user who signs in.
        resource: The API that the token is for.
        contexts: The authentication contexts that are requested.
        policy_ids: Policies that the claims request names; they apply besides.
    """

    tenant: Tenant
    user: User
    resource: Application
    contexts: tuple[str, ...]
    policy_ids: frozenset[str] = frozenset()

    @property
    def policies(self) -> list[ConditionalAccess]:
        """The policies that apply."""
        return [
            policy
            for policy in self.tenant.policies
            if policy_id(policy) in self.policy_ids
            or (
                (policy.context is None or policy.context in self.contexts)
                and policy.concerns(self.user, self.resource)
            )
        ]

    @property
    def requires_second_factor(self) -> bool:
        """Whether one of the policies requires a second factor."""
        return any(policy.requires == "mfa" for policy in self.policies)

    def check_access(self) -> None:
        """Check that a sign-in can satisfy the policies at all.

        Raises:
            AadstsError: 53003, a policy blocks; 50079, a second factor is required and none registered.
        """
        if any(policy.requires == "block" for policy in self.policies):
            raise AadstsError(
                53003,
                "interaction_required",
                f"A policy of '{self.tenant.name}' keeps {self.user.name} from '{self.resource.name}'.",
                suberror="message_only",
                claims=self.challenge("capolids"),
            )
        if self.requires_second_factor and not self.user.second_factor:
            raise AadstsError(
                50079,
                "interaction_required",
                f"A policy demands a second factor for '{self.resource.name}', and {self.user.name} "
                "has registered none.",
                claims=self.challenge("polids"),
            )

    def check_without_interaction(self, *, second_factor: bool) -> None:
        """Check that the policies are satisfied without another page.

        Raises:
            AadstsError: 50076, the second factor is missing; or those of ``check_access``.
        """
        self.check_access()
        if self.requires_second_factor and not second_factor:
            raise AadstsError(
                50076,
                "interaction_required",
                f"A policy demands a second factor for '{self.resource.name}'. Let the person sign in.",
                suberror="basic_action",
                claims=self.challenge("capolids"),
            )

    def challenge(self, kind: str) -> str:
        """The claims that the next sign-in must satisfy: the requested contexts, else the policies' IDs."""
        member: dict[str, Any] = {"essential": True}
        if self.contexts:
            kind, member["values"] = "acrs", list(self.contexts)
        else:
            member["values"] = [policy_id(policy) for policy in self.policies]
        return json.dumps({"access_token": {kind: member}}, separators=(",", ":"))


def _claims_requests(members: dict[str, Any], name: str) -> dict[str, Any]:
    """The claims that are requested for one token, by name."""
    found = members.get(name)
    if not isinstance(found, dict | None):
        raise ValueError
    return found or {}


def _values(request: Any) -> tuple[str, ...]:
    """The values that are requested for one claim: ``value`` or ``values``."""
    if request is None:
        return ()
    found = request.get("values", [request["value"]] if "value" in request else [])
    if not isinstance(found, list) or not all(isinstance(value, str) for value in found):
        raise ValueError
    return tuple(found)
