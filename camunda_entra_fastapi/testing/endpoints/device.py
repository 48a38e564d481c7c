"""The device authorization grant (RFC 8628; Learn: device authorization grant)."""

from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Platform
from camunda_entra_fastapi.testing.endpoints.interaction import AuthorizationInteraction
from camunda_entra_fastapi.testing.endpoints.issuing import token_response
from camunda_entra_fastapi.testing.endpoints.responses import error_page
from camunda_entra_fastapi.testing.endpoints.token_request import (
    TokenRequest,
    check_issuing_tenant,
    current_sign_in,
    narrow_scope,
)
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import (
    AadstsError,
    diagnostic_headers,
    error_response,
    json_response,
    no_store_headers,
)
from camunda_entra_fastapi.testing.protocol.authorize import AuthorizationRequest
from camunda_entra_fastapi.testing.protocol.conditional_access import ClaimsRequest
from camunda_entra_fastapi.testing.protocol.parameters import form_of, query_and_form_of, required
from camunda_entra_fastapi.testing.protocol.realm import find_application, find_realm
from camunda_entra_fastapi.testing.protocol.request_log import annotate
from camunda_entra_fastapi.testing.protocol.scopes import parse_scope
from camunda_entra_fastapi.testing.world.state import (
    DEVICE_CODE_LIFETIME,
    REFRESH_LIFETIME,
    DeviceCode,
    Session,
    SignIn,
    new_user_code,
)
from camunda_entra_fastapi.testing.world.world import World

VERIFICATION_PATH: Final = "/common/oauth2/deviceauth"
POLLING_INTERVAL: Final = 5
"""Seconds between two polls of the device."""


@dataclass(frozen=True, slots=True)
class DeviceEndpoints:
    """The device authorization endpoint, and the page where users enter the code."""

    world: World

    async def device_authorization(self, request: Request) -> Response:
        """The device authorization response: codes for a device (RFC 8628, 3.1 and 3.2)."""
        world = self.world
        annotate(request, did="device start")
        try:
            parameters = await form_of(request)
            realm = find_realm(world.directory, str(request.path_params["tenant"]))
            client = find_application(realm, required(parameters, "client_id"))
            annotate(request, client=client)
            home = realm.home_for(client)
            requested_scope = parse_scope(required(parameters, "scope"), world.directory, home, client)
        except AadstsError as problem:
            return error_response(problem, request, world.now())
        device_code = DeviceCode(
            realm.segment, client, requested_scope, new_user_code(), world.now() + DEVICE_CODE_LIFETIME
        )
        address = world.base_url + VERIFICATION_PATH
        members = {
            "user_code": device_code.user_code,
            "device_code": world.state.add_device_code(device_code),
            "verification_uri": address,
            "expires_in": DEVICE_CODE_LIFETIME,
            "interval": POLLING_INTERVAL,
            "message": f"To sign in, open {address} in a browser and enter the code {device_code.user_code}.",
        }
        return json_response(members, no_store_headers() | diagnostic_headers())

    async def verification_page(self, request: Request) -> Response:
        """The verification page: the user enters the code, and then signs in as for any application."""
        annotate(request, did="device sign in")
        try:
            form = await query_and_form_of(request)
        except AadstsError as problem:
            return render("device.html", title="Enter the code", wrong=problem.message)
        if "user_code" not in form:
            return render("device.html", title="Enter the code", wrong="")
        device_code = self.world.state.device_code_of(form["user_code"])
        if (
            device_code is None
            or device_code.sign_in
            or device_code.declined
            or self._has_expired(device_code)
        ):
            wrong = "No device waits with that code. It may be mistyped, used or older than 15 minutes."
            return render("device.html", title="Enter the code", wrong=wrong)
        try:
            auth_request = self._authorization_request(device_code)
        except AadstsError as problem:
            return error_page(problem, request, self.world.now())
        annotate(request, client=auth_request.client)
        return _DeviceInteraction(self.world, request, auth_request, device_code).step(form)

    def _has_expired(self, device_code: DeviceCode) -> bool:
        return self.world.now() >= device_code.expires

    def _authorization_request(self, device_code: DeviceCode) -> AuthorizationRequest:
        """The device's request as an authorization request, with the client as it is registered now."""
        realm = find_realm(self.world.directory, device_code.tenant)
        return AuthorizationRequest(
            realm,
            find_application(realm, device_code.client.client_id),
            "",
            device_code.requested_scope,
            ClaimsRequest(),
            frozenset(),
            {"prompt": "select_account"},
        )


@dataclass(frozen=True, slots=True)
class _DeviceInteraction(AuthorizationInteraction):
    """The same pages as for any application; at the end, the device gets the sign-in, not a redirect URI."""

    device_code: DeviceCode

    @property
    def hidden_fields(self) -> dict[str, str]:
        return {"user_code": self.device_code.user_code}

    def step(self, form: dict[str, str]) -> Response:
        if "cancel" in form or form.get("consent") == "refused":
            self.device_code.declined = True
            return render("message.html", title="Not signed in", text="The device was told. Close this page.")
        return self.resume(form) if "user" in form else self.start()

    def _issue(self, auth_request: AuthorizationRequest, session: Session) -> Response:
        self.device_code.sign_in = SignIn(
            session.tenant,
            auth_request.client,
            session.user,
            auth_request.requested_scope,
            "",
            expires=self.device_code.expires,
            session=session,
            issued=self.world.now(),
        )
        text = f"{auth_request.client.name} goes on at the device now. Close this page."
        return render("message.html", title="Signed in", text=text)


async def redeem_device_code(request: TokenRequest) -> dict[str, Any]:
    """The device access token request (RFC 8628, 3.4 and 3.5)."""
    world = request.world
    if request.origin is not None:
        raise AadstsError(9002326, "invalid_request", "A browser must not redeem codes of devices.")
    device_code = world.state.device_codes.get(required(request.parameters, "device_code"))
    if device_code is None or device_code.client.client_id != request.client.client_id:
        raise AadstsError(70018, "bad_verification_code", "The device code is malformed, or was used before.")
    is_confidential = request.credentials.has_credential
    auth_method = await request.authenticate() if is_confidential else "0"
    if not is_confidential and not request.client.allow_public_client:
        raise AadstsError(
            7000218,
            "invalid_client",
            "The request must have 'client_secret' or 'client_assertion'. For a client that can keep no "
            f"secret, allow public client flows in the registration of '{request.client.name}'.",
        )
    if device_code.declined:
        raise AadstsError(70017, "authorization_declined", "The person declined to sign in.")
    if world.now() >= device_code.expires:
        raise AadstsError(70020, "expired_token", "The device code has expired. Ask for another one.")
    if device_code.sign_in is None:
        raise AadstsError(
            70016, "authorization_pending", "The person has not signed in yet. Ask again later."
        )
    check_issuing_tenant(request, device_code.sign_in)
    platform: Platform = "web" if is_confidential else "public"
    sign_in = current_sign_in(request, replace(device_code.sign_in, platform=platform))
    narrowed = narrow_scope(request, sign_in)
    world.state.device_codes.pop(request.parameters["device_code"], None)
    return token_response(
        request, narrowed, auth_method, refresh_token_expires=world.now() + REFRESH_LIFETIME
    )
