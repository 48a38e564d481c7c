"""The pages between an authorization request and its response."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Tenant, User
from camunda_entra_fastapi.testing.endpoints.browser_sessions import (
    browser_sessions,
    matches_login_hint,
    store_browser_sessions,
)
from camunda_entra_fastapi.testing.endpoints.consents import (
    Consents,
    requires_admin_consent,
    scope_text,
    scopes_in,
)
from camunda_entra_fastapi.testing.endpoints.issuing import issue_authorization_response
from camunda_entra_fastapi.testing.endpoints.responses import authorization_cancelled_response, error_page
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.authorize import AuthorizationRequest
from camunda_entra_fastapi.testing.protocol.conditional_access import PolicyEvaluation
from camunda_entra_fastapi.testing.protocol.realm import check_account, check_assignment
from camunda_entra_fastapi.testing.protocol.request_log import annotate, record_of
from camunda_entra_fastapi.testing.protocol.scopes import RequestedScope, find_resource
from camunda_entra_fastapi.testing.world.state import Session
from camunda_entra_fastapi.testing.world.world import World


@dataclass(frozen=True, slots=True)
class AuthorizationInteraction:
    """One step of a user's sign-in. The form carries the decisions of the steps before."""

    world: World
    request: Request
    auth_request: AuthorizationRequest

    def start(self) -> Response:
        """The first step (OpenID Connect Core, 3.1.2.3): use the matching session, or show the accounts.

        Raises:
            AadstsError: 50058, or any other that needs a page, when ``prompt`` is ``none``.
        """
        prompt = self.auth_request.parameters.get("prompt")
        matching = [session for session in self._sessions() if self._satisfies(session)]
        if prompt == "none":
            if len(matching) != 1:
                raise AadstsError(
                    50058,
                    "login_required",
                    f"The request forbids to ask, and of the people signed in, {len(matching)} fit it. "
                    "Browsers that block third-party cookies show nobody as signed in.",
                )
            return self._answer_silently(matching[0])
        if len(matching) == 1 and prompt not in ("login", "create", "select_account"):
            return self._next_step(matching[0], {})
        return self._account_page()

    def resume(self, form: Mapping[str, str]) -> Response:
        """The next step, after the user submitted a page.

        Raises:
            AadstsError: 65004, the user does not consent.
        """
        if "cancel" in form:
            return authorization_cancelled_response(
                self.auth_request.redirect_uri, self.auth_request.parameters
            )
        if form.get("consent") == "refused":
            raise AadstsError(65004, "access_denied", "The person declined to consent.")
        try:
            tenant, user = self.auth_request.realm.find_user(form.get("user", ""), self.auth_request.client)
        except AadstsError as problem:
            return self._error_page(problem)
        return self._next_step(self._session_for(tenant, user), form)

    @property
    def hidden_fields(self) -> dict[str, str]:
        """The hidden fields of each page's form, besides the decisions."""
        return {}

    @property
    def retry_parameters(self) -> dict[str, str]:
        """The parameters of the request with another account."""
        parameters = {name: value for name, value in self.auth_request.parameters.items() if name != "prompt"}
        return parameters | self.hidden_fields | {"prompt": "select_account"}

    def _issue(self, auth_request: AuthorizationRequest, session: Session) -> Response:
        """The authorization response."""
        return issue_authorization_response(self.world, auth_request, session)

    def _next_step(self, session: Session, form: Mapping[str, str]) -> Response:
        """The next page that is needed, or the authorization response."""
        annotate(self.request, client=self.auth_request.client, user=session.user)
        evaluations = self._policy_evaluations(session)
        try:
            self._check_access(session, evaluations)
        except AadstsError as problem:
            return self._error_page(problem)
        if any(evaluation.requires_second_factor for evaluation in evaluations) and not session.second_factor:
            if "second_factor" not in form:
                return self._page("second_factor.html", "Show that it is you", session, form)
            session = replace(session, second_factor=True)
        missing = self._missing(session)
        if missing and (form.get("consent") != "granted" or requires_admin_approval(missing, session)):
            return self._consent_page(session, form, missing)
        if missing:
            everybody = session.user.administrator and "everybody" in form
            self.world.state.grant(
                session.tenant,
                self.auth_request.client,
                missing,
                None if everybody else session.user,
            )
        return self._complete(session)

    def _answer_silently(self, session: Session) -> Response:
        evaluations = self._policy_evaluations(session)
        try:
            self._check_access(session, evaluations)
            for evaluation in evaluations:
                evaluation.check_without_interaction(second_factor=session.second_factor)
            self._consents(session.tenant).check_granted(self.auth_request.requested_scope, session.user)
        except AadstsError as problem:
            raise AadstsError(
                problem.code,
                "interaction_required",
                problem.message,
                suberror=problem.suberror,
                claims=problem.claims,
            ) from None
        return self._complete(session)

    def _check_access(self, session: Session, evaluations: list[PolicyEvaluation]) -> None:
        check_account(session.tenant, session.user)
        check_assignment(session.tenant, session.user, self.auth_request.client)
        check_assignment(session.tenant, session.user, self.auth_request.requested_scope.resource)
        for evaluation in evaluations:
            find_resource(evaluation.resource.client_id, self.world.directory, session.tenant)
            evaluation.check_access()

    def _complete(self, session: Session) -> Response:
        session = replace(
            session,
            applications=session.applications
            | {self.auth_request.client.client_id: self.auth_request.client},
        )
        others = [
            each
            for each in self._sessions()
            if (each.tenant.id, each.user.id) != (session.tenant.id, session.user.id)
        ]
        granted_scope = self._consents(session.tenant).granted_scope(
            self.auth_request.requested_scope, session.user
        )
        response = self._issue(replace(self.auth_request, requested_scope=granted_scope), session)
        store_browser_sessions(self.world, self.request, response, [*others, session])
        return response

    def _account_page(self) -> Response:
        hint = self.auth_request.parameters.get("login_hint", "").lower()
        people = [
            each
            for each in self.auth_request.realm.users(self.auth_request.client)
            if self._matches_domain_hint(*each)
        ]
        people.sort(key=lambda each: not matches_login_hint(each[1], hint))
        signed_in = {session.user.id for session in self._sessions()}
        scope = self.auth_request.requested_scope
        asked = [part for part in (scope, *scope.others) if part.permissions]
        return render(
            "sign_in.html",
            title=f"Sign in to {self.auth_request.client.name}",
            auth_request=self.auth_request,
            users=people,
            signed_in=signed_in,
            fields=self.hidden_fields,
            asked=[each.description or each.value for each in scopes_in(asked)],
        )

    def _consent_page(
        self, session: Session, form: Mapping[str, str], missing: list[RequestedScope]
    ) -> Response:
        title = f"{self.auth_request.client.name} asks for your consent"
        page = "consent.html"
        if requires_admin_approval(missing, session):
            title, page = "An administrator must approve this", "approval.html"
            record = record_of(self.request)
            record.error = f"AADSTS90094: {session.user.name} cannot consent to {scope_text(missing)}."
        return self._page(
            page, title, session, form, scopes=list(scopes_in(missing)), words=scope_text(missing)
        )

    def _page(
        self, template: str, title: str, session: Session, form: Mapping[str, str], **values: Any
    ) -> Response:
        fields = self.hidden_fields | {"user": session.user.id}
        fields |= {name: form[name] for name in ("second_factor",) if name in form}
        return render(
            template,
            title=title,
            auth_request=self.auth_request,
            session=session,
            fields=fields,
            retry=self.retry_parameters,
            **values,
        )

    def _error_page(self, problem: AadstsError) -> Response:
        return error_page(problem, self.request, self.world.now(), retry=self.retry_parameters)

    def _missing(self, session: Session) -> list[RequestedScope]:
        if self.auth_request.parameters.get("prompt") == "consent":
            return [part for part in self.auth_request.requested_scope.by_resource if part.permissions]
        return self._consents(session.tenant).missing(self.auth_request.requested_scope, session.user)

    def _consents(self, tenant: Tenant) -> Consents:
        return Consents(self.world.state, tenant, self.auth_request.client)

    def _policy_evaluations(self, session: Session) -> list[PolicyEvaluation]:
        requested_scopes = (
            self.auth_request.requested_scope,
            *self.auth_request.requested_scope.others,
        )
        claims = self.auth_request.claims
        return [
            PolicyEvaluation(
                session.tenant, session.user, requested.resource, claims.contexts, claims.policy_ids
            )
            for requested in requested_scopes
        ]

    def _sessions(self) -> list[Session]:
        return browser_sessions(self.world, self.request)

    def _session_for(self, tenant: Tenant, user: User) -> Session:
        """The session after a sign-in: the known one, renewed if the request demands a new sign-in."""
        key = (tenant.id, user.id)
        known = next((each for each in self._sessions() if (each.tenant.id, each.user.id) == key), None)
        reauthenticate = (
            self.auth_request.parameters.get("prompt") in ("login", "create")
            or self.auth_request.max_age is not None
        )
        if known is None:
            return Session(tenant, user, self.world.now())
        return replace(known, auth_time=self.world.now(), second_factor=False) if reauthenticate else known

    def _satisfies(self, session: Session) -> bool:
        people = (
            (tenant.id, user.id) for tenant, user in self.auth_request.realm.users(self.auth_request.client)
        )
        hint = self.auth_request.parameters.get("login_hint")
        max_age = self.auth_request.max_age
        return (
            (session.tenant.id, session.user.id) in people
            and (hint is None or matches_login_hint(session.user, hint.lower()))
            and (max_age is None or self.world.now() - session.auth_time <= max_age)
            and max_age != 0  # always demands a new sign-in (OpenID Connect Core, 3.1.2.1)
            and self._matches_domain_hint(session.tenant, session.user)
        )

    def _matches_domain_hint(self, tenant: Tenant, user: User) -> bool:
        """``domain_hint`` names a domain, or the kind of account (Learn: authorization code flow)."""
        hint = self.auth_request.parameters.get("domain_hint", "").lower()
        if hint in ("organizations", "consumers"):
            return tenant.is_consumers is (hint == "consumers")
        return not hint or hint == tenant.domain.lower() or user.username.lower().endswith(f"@{hint}")


def requires_admin_approval(missing: list[RequestedScope], session: Session) -> bool:
    """Whether an administrator must consent, and the user is none."""
    return requires_admin_consent(missing, session.tenant) and not session.user.administrator
