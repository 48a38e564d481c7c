"""The policy of a service."""

import dataclasses

import pytest

from camunda_entra_fastapi.validation.policy import Policy
from tests.tokens import CLIENT_ID, ISSUER, OTHER_TENANT, TENANT, V1_ISSUER
from tests.validation.conftest import ANY_TENANT, POLICY


def test_defaults_are_the_strict_ones_of_the_contract() -> None:
    """Where nothing is said: one minute of leeway, guests let in, no v1.0 tokens, no foreign tenant."""
    policy = Policy(issuer=ISSUER, audiences=frozenset({CLIENT_ID}), client_id=CLIENT_ID)
    assert policy.clock_skew == 60
    assert policy.allow_guests is True
    assert policy.accept_v1 is False
    assert policy.allowed_tenants == frozenset()
    assert policy.allowed_clients == frozenset()
    assert policy.v1_issuer_of(TENANT) is None


def test_issuer_of_a_single_tenant_is_the_same_for_everybody() -> None:
    """Without the placeholder the token's tenant changes nothing."""
    assert POLICY.multi_tenant is False
    assert POLICY.issuer_of(OTHER_TENANT) == ISSUER
    assert POLICY.v1_issuer_of(OTHER_TENANT) == V1_ISSUER


def test_placeholder_stands_for_the_tenant_in_both_issuers() -> None:
    """With the placeholder the issuers are those of the token's tenant."""
    assert ANY_TENANT.multi_tenant is True
    assert ANY_TENANT.issuer_of(TENANT) == ISSUER
    assert ANY_TENANT.v1_issuer_of(OTHER_TENANT) == f"https://sts.windows.net/{OTHER_TENANT}/"


def test_policy_cannot_be_changed() -> None:
    """A policy is read once and stays."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        POLICY.issuer = "https://attacker.example"  # type: ignore[misc]
