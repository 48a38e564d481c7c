"""Signing in on another device than the one that asks (RFC 8628; Learn: device authorization grant)."""

from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Platform
from camunda_entra_fastapi.testing.endpoints.interaction import Interaction
from camunda_entra_fastapi.testing.endpoints.issuing import token_response
from camunda_entra_fastapi.testing.endpoints.responses import error_page
from camunda_entra_fastapi.testing.endpoints.token_request import (
    TokenRequest,
    narrow,
    refuse_elsewhere,
    renewed,
)
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import (
    Aadsts,
    error_response,
    json_response,
    no_store,
    request_headers,
)
from camunda_entra_fastapi.testing.protocol.authorize import SignInRequest
from camunda_entra_fastapi.testing.protocol.conditional_access import ClaimsRequest
from camunda_entra_fastapi.testing.protocol.parameters import form_of, need, query_of
from camunda_entra_fastapi.testing.protocol.realm import find_application, find_realm
from camunda_entra_fastapi.testing.protocol.request_log import tell
from camunda_entra_fastapi.testing.protocol.scopes import read_scope
from camunda_entra_fastapi.testing.world.state import (
    DEVICE_CODE_LIFETIME,
    REFRESH_LIFETIME,
    DeviceCode,
    Session,
    SignIn,
    new_user_code,
)
from camunda_entra_fastapi.testing.world.world import World

PAGE: Final = "/common/oauth2/deviceauth"
INTERVAL: Final = 5
"""Seconds between two polls."""


@dataclass(frozen=True, slots=True)
class DeviceEndpoints:
    """Where a device asks for codes, and where people type them."""

    world: World

    async def start(self, request: Request) -> Response:
        """Codes for a device (RFC 8628, 3.1 and 3.2)."""
        world = self.world
        tell(request, did="device start")
        try:
            parameters = await form_of(request)
            realm = find_realm(world.directory, str(request.path_params["tenant"]))
            client = find_application(realm, need(parameters, "client_id"))
            tell(request, client=client)
            home = realm.home_for(client)
            asked = read_scope(need(parameters, "scope"), world.directory, home, client)
        except Aadsts as problem:
            return error_response(problem, request, world.now())
        waiting = DeviceCode(
            realm.segment, client, asked, new_user_code(), world.now() + DEVICE_CODE_LIFETIME
        )
        address = world.base_url + PAGE
        members = {
            "user_code": waiting.user_code,
            "device_code": world.state.add_device_code(waiting),
            "verification_uri": address,
            "expires_in": DEVICE_CODE_LIFETIME,
            "interval": INTERVAL,
            "message": f"To sign in, open {address} in a browser and enter the code {waiting.user_code}.",
        }
        return json_response(members, no_store() | request_headers())

    async def page(self, request: Request) -> Response:
        """Where a person types the code, and then signs in as for any application."""
        tell(request, did="device sign in")
        try:
            form = {**query_of(request), **(await form_of(request) if request.method == "POST" else {})}
        except Aadsts as problem:
            return render("device.html", title="Enter the code", wrong=problem.message)
        if "user_code" not in form:
            return render("device.html", title="Enter the code", wrong="")
        waiting = self.world.state.device_code_of(form["user_code"])
        if waiting is None or waiting.sign_in or waiting.declined or self._is_over(waiting):
            wrong = "No device waits with that code. It may be mistyped, used or older than 15 minutes."
            return render("device.html", title="Enter the code", wrong=wrong)
        try:
            wanted = self._wanted(waiting)
        except Aadsts as problem:
            return error_page(problem, request, self.world.now())
        tell(request, client=wanted.client)
        return _DeviceInteraction(self.world, request, wanted, waiting).step(form)

    def _is_over(self, waiting: DeviceCode) -> bool:
        return self.world.now() >= waiting.expires

    def _wanted(self, waiting: DeviceCode) -> SignInRequest:
        """What the device asked for, with its application as it is registered now."""
        realm = find_realm(self.world.directory, waiting.tenant)
        return SignInRequest(
            realm,
            find_application(realm, waiting.client.client_id),
            "",
            waiting.asked,
            ClaimsRequest(),
            frozenset(),
            {"prompt": "select_account"},
        )


@dataclass(frozen=True, slots=True)
class _DeviceInteraction(Interaction):
    """The same way as for any application; at its end, a device is told instead of an address."""

    waiting: DeviceCode

    @property
    def kept(self) -> dict[str, str]:
        return {"user_code": self.waiting.user_code}

    def step(self, form: dict[str, str]) -> Response:
        if "cancel" in form or form.get("consent") == "refused":
            self.waiting.declined = True
            return render("message.html", title="Not signed in", text="The device was told. Close this page.")
        return self.proceed(form) if "user" in form else self.arrive()

    def _answer(self, wanted: SignInRequest, session: Session) -> Response:
        self.waiting.sign_in = SignIn(
            session.tenant,
            wanted.client,
            session.user,
            wanted.asked,
            "",
            expires=self.waiting.expires,
            session=session,
            issued=self.world.now(),
        )
        text = f"{wanted.client.name} goes on at the device now. Close this page."
        return render("message.html", title="Signed in", text=text)


async def redeem_device_code(request: TokenRequest) -> dict[str, Any]:
    """RFC 8628, 3.4 and 3.5."""
    world = request.world
    if request.origin is not None:
        raise Aadsts(9002326, "invalid_request", "A browser must not redeem codes of devices.")
    waiting = world.state.device_codes.get(need(request.parameters, "device_code"))
    if waiting is None or waiting.client.client_id != request.client.client_id:
        raise Aadsts(70018, "bad_verification_code", "The device code is malformed, or was used before.")
    level = "0" if request.presented.is_bare else await request.authenticate()
    if request.presented.is_bare and not request.client.allow_public_client:
        raise Aadsts(
            7000218,
            "invalid_client",
            "The request must have 'client_secret' or 'client_assertion'. For a client that can keep no "
            f"secret, allow public client flows in the registration of '{request.client.name}'.",
        )
    if waiting.declined:
        raise Aadsts(70017, "authorization_declined", "The person declined to sign in.")
    if world.now() >= waiting.expires:
        raise Aadsts(70020, "expired_token", "The device code has expired. Ask for another one.")
    if waiting.sign_in is None:
        raise Aadsts(70016, "authorization_pending", "The person has not signed in yet. Ask again later.")
    refuse_elsewhere(request, waiting.sign_in)
    platform: Platform = "public" if request.presented.is_bare else "web"
    sign_in = renewed(request, replace(waiting.sign_in, platform=platform))
    narrowed = narrow(request, sign_in)
    world.state.device_codes.pop(request.parameters["device_code"], None)
    return token_response(
        world,
        narrowed,
        level,
        refresh_until=world.now() + REFRESH_LIFETIME,
        with_client_info=request.wants_client_info,
    )
