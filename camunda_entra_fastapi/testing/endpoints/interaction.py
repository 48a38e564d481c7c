"""What happens between a person's arrival and the answer to the application that sent them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Tenant, User
from camunda_entra_fastapi.testing.endpoints.consents import (
    Consents,
    described,
    needs_administrator,
    words_for,
)
from camunda_entra_fastapi.testing.endpoints.issuing import issue_answer
from camunda_entra_fastapi.testing.endpoints.responses import answer_cancelled, error_page
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.authorize import SignInRequest
from camunda_entra_fastapi.testing.protocol.conditional_access import Demand
from camunda_entra_fastapi.testing.protocol.realm import check_assignment, check_person
from camunda_entra_fastapi.testing.protocol.request_log import record_of, tell
from camunda_entra_fastapi.testing.protocol.scopes import Asked, find_resource
from camunda_entra_fastapi.testing.tokens.optional_claims import login_hint_of
from camunda_entra_fastapi.testing.world.state import Session
from camunda_entra_fastapi.testing.world.world import World

COOKIE: Final = "local_emulator_browser"
"""Names the browser, so that people who signed in stay so."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """One step on a person's way; what was decided before comes along in the form."""

    world: World
    request: Request
    wanted: SignInRequest

    def arrive(self) -> Response:
        """The first step: who is signed in passes, everybody else is asked (OpenID Connect Core, 3.1.2.3).

        Raises:
            Aadsts: 50058, and whatever else cannot be done in silence when ``prompt`` is ``none``.
        """
        prompt = self.wanted.parameters.get("prompt")
        fitting = [session for session in self._sessions() if self._fits(session)]
        if prompt == "none":
            if len(fitting) != 1:
                raise Aadsts(
                    50058,
                    "login_required",
                    f"The request forbids to ask, and of the people signed in, {len(fitting)} fit it. "
                    "Browsers that block third-party cookies show nobody as signed in.",
                )
            return self._pass_silently(fitting[0])
        if len(fitting) == 1 and prompt not in ("login", "create", "select_account"):
            return self._go_on(fitting[0], {})
        return self._ask_who()

    def proceed(self, form: Mapping[str, str]) -> Response:
        """The next step, once a page was answered.

        Raises:
            Aadsts: 65004, the person does not consent.
        """
        if "cancel" in form:
            return answer_cancelled(self.wanted.redirect_uri, self.wanted.parameters)
        if form.get("consent") == "refused":
            raise Aadsts(65004, "access_denied", "The person declined to consent.")
        try:
            tenant, user = self.wanted.realm.person(form.get("user", ""), self.wanted.client)
        except Aadsts as problem:
            return self._page_of(problem)
        return self._go_on(self._session_of(tenant, user), form)

    @property
    def kept(self) -> dict[str, str]:
        """What each page's form brings back besides what was decided."""
        return {}

    @property
    def again(self) -> dict[str, str]:
        """The request once more, so that somebody else can sign in."""
        parameters = {name: value for name, value in self.wanted.parameters.items() if name != "prompt"}
        return parameters | self.kept | {"prompt": "select_account"}

    def _answer(self, wanted: SignInRequest, session: Session) -> Response:
        """Send the person back with what the application asked for."""
        return issue_answer(self.world, wanted, session)

    def _go_on(self, session: Session, form: Mapping[str, str]) -> Response:
        """Show the next page that is needed, or send the person back."""
        tell(self.request, client=self.wanted.client, user=session.user)
        demands = self._demands(session)
        try:
            self._check(session, demands)
        except Aadsts as problem:
            return self._page_of(problem)
        if any(demand.needs_second_factor for demand in demands) and not session.second_factor:
            if "second_factor" not in form:
                return self._page("second_factor.html", "Show that it is you", session, form)
            session = replace(session, second_factor=True)
        missing = self._missing(session)
        if missing and (form.get("consent") != "granted" or needs_approval(missing, session)):
            return self._ask_for_consent(session, form, missing)
        if missing:
            everybody = session.user.administrator and "everybody" in form
            self.world.state.grant(
                session.tenant, self.wanted.client, missing, None if everybody else session.user
            )
        return self._done(session)

    def _pass_silently(self, session: Session) -> Response:
        demands = self._demands(session)
        try:
            self._check(session, demands)
            for demand in demands:
                demand.refuse_silence(second_factor=session.second_factor)
            self._consents(session.tenant).demand(self.wanted.asked, session.user)
        except Aadsts as problem:
            raise Aadsts(
                problem.code,
                "interaction_required",
                problem.message,
                suberror=problem.suberror,
                claims=problem.claims,
            ) from None
        return self._done(session)

    def _check(self, session: Session, demands: list[Demand]) -> None:
        check_person(session.tenant, session.user)
        check_assignment(session.tenant, session.user, self.wanted.client)
        check_assignment(session.tenant, session.user, self.wanted.asked.resource)
        for demand in demands:
            find_resource(demand.resource.client_id, self.world.directory, session.tenant)
            demand.refuse_blocked()

    def _done(self, session: Session) -> Response:
        session = replace(
            session,
            applications=session.applications | {self.wanted.client.client_id: self.wanted.client},
        )
        others = [
            each
            for each in self._sessions()
            if (each.tenant.id, each.user.id) != (session.tenant.id, session.user.id)
        ]
        usable = self._consents(session.tenant).usable(self.wanted.asked, session.user)
        response = self._answer(replace(self.wanted, asked=usable), session)
        keep_browser(self.world, self.request, response, [*others, session])
        return response

    def _ask_who(self) -> Response:
        hint = self.wanted.parameters.get("login_hint", "").lower()
        people = [each for each in self.wanted.realm.people(self.wanted.client) if self._in_domain(*each)]
        people.sort(key=lambda each: not is_hinted(each[1], hint))
        signed_in = {session.user.id for session in self._sessions()}
        return render(
            "sign_in.html",
            title=f"Sign in to {self.wanted.client.name}",
            wanted=self.wanted,
            people=people,
            signed_in=signed_in,
            kept=self.kept,
        )

    def _ask_for_consent(self, session: Session, form: Mapping[str, str], missing: list[Asked]) -> Response:
        title = f"{self.wanted.client.name} asks for your consent"
        page = "consent.html"
        if needs_approval(missing, session):
            title, page = "An administrator must approve this", "approval.html"
            record_of(
                self.request
            ).error = f"AADSTS90094: {session.user.name} cannot consent to {words_for(missing)}."
        return self._page(
            page, title, session, form, scopes=list(described(missing)), words=words_for(missing)
        )

    def _page(
        self, template: str, title: str, session: Session, form: Mapping[str, str], **values: Any
    ) -> Response:
        kept = self.kept | {"user": session.user.id}
        kept |= {name: form[name] for name in ("second_factor",) if name in form}
        return render(
            template,
            title=title,
            wanted=self.wanted,
            session=session,
            kept=kept,
            again=self.again,
            **values,
        )

    def _page_of(self, problem: Aadsts) -> Response:
        return error_page(problem, self.request, self.world.now(), again=self.again)

    def _missing(self, session: Session) -> list[Asked]:
        if self.wanted.parameters.get("prompt") == "consent":
            return [part for part in self.wanted.asked.parts if part.permissions]
        return self._consents(session.tenant).missing(self.wanted.asked, session.user)

    def _consents(self, tenant: Tenant) -> Consents:
        return Consents(self.world.state, tenant, self.wanted.client)

    def _demands(self, session: Session) -> list[Demand]:
        asked = (self.wanted.asked, *self.wanted.asked.others)
        claims = self.wanted.claims
        return [
            Demand(session.tenant, session.user, each.resource, claims.contexts, claims.policies)
            for each in asked
        ]

    def _sessions(self) -> list[Session]:
        return sessions_in(self.world, self.request)

    def _session_of(self, tenant: Tenant, user: User) -> Session:
        """Who just signed in: again where the application wants it, else as part of the session there is."""
        key = (tenant.id, user.id)
        known = next((each for each in self._sessions() if (each.tenant.id, each.user.id) == key), None)
        anew = self.wanted.parameters.get("prompt") in ("login", "create") or self.wanted.max_age is not None
        if known is None:
            return Session(tenant, user, self.world.now())
        return replace(known, at=self.world.now(), second_factor=False) if anew else known

    def _fits(self, session: Session) -> bool:
        people = ((tenant.id, user.id) for tenant, user in self.wanted.realm.people(self.wanted.client))
        hint = self.wanted.parameters.get("login_hint")
        max_age = self.wanted.max_age
        return (
            (session.tenant.id, session.user.id) in people
            and (hint is None or is_hinted(session.user, hint.lower()))
            and (max_age is None or self.world.now() - session.at <= max_age)
            and max_age != 0  # means a new sign-in always (OpenID Connect Core, 3.1.2.1)
            and self._in_domain(session.tenant, session.user)
        )

    def _in_domain(self, tenant: Tenant, user: User) -> bool:
        """``domain_hint`` names a domain, or the kind of account (Learn: authorization code flow)."""
        hint = self.wanted.parameters.get("domain_hint", "").lower()
        if hint in ("organizations", "consumers"):
            return tenant.is_consumers is (hint == "consumers")
        return not hint or hint == tenant.domain.lower() or user.username.lower().endswith(f"@{hint}")


def needs_approval(missing: list[Asked], session: Session) -> bool:
    """Whether somebody else must consent, because the person is no administrator."""
    return needs_administrator(missing, session.tenant) and not session.user.administrator


def is_hinted(user: User, hint: str) -> bool:
    """Whether a hint in lower case means that person: by username, or by the claim ``login_hint``."""
    return bool(hint) and (hint == user.username.lower() or hint == login_hint_of(user).lower())


def sessions_in(world: World, request: Request) -> list[Session]:
    """Who is signed in in this browser, as the directory knows them now."""
    found = []
    for session in world.state.sessions_of(request.cookies.get(COOKIE)):
        tenant = world.directory.tenant(session.tenant.id)
        user = tenant.user(session.user.id) if tenant else None
        if tenant and user:
            found.append(replace(session, tenant=tenant, user=user))
    return found


def keep_browser(world: World, request: Request, response: Response, sessions: list[Session]) -> None:
    """Remember who is signed in in this browser.

    Silent sign-ins happen in frames of other sites, to which browsers send no other cookies than these.
    """
    value = world.state.keep_sessions(request.cookies.get(COOKIE), sessions)
    secure = world.base_url.startswith("https:")
    response.set_cookie(COOKIE, value, httponly=True, secure=secure, samesite="none" if secure else "lax")
