"""The manifests: valid to Kubernetes, in agreement with each other, with the image and with the service."""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraSettings
from camunda_entra_fastapi.testing import EntraEmulator
from tests.samples.custom_resources import FIELDS, MESH_FIELDS, paths_of
from tests.samples.dockerfile import Stage, stages

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "samples" / "kubernetes"
IMAGE: Final = ROOT / "samples" / "container"
RESOURCES: Final = (
    "envoy-gateway",
    "external-secret",
    "ingress-nginx",
    "istio",
    "orders",
    "routes",
    "secret",
    "secret-provider-class",
    "traefik",
)
VALUES: Final = ("camunda-values", "istio-mesh-config")
VERSIONS: Final = ("1.33", "1.37")
"""Of Kubernetes: the oldest one that managed clusters still run, and the newest."""
ID: Final = "8f0c1111-2222-4333-8444-555566667777"
ADDRESS: Final = "orders.orders.svc.cluster.local:8000"
NGINX: Final = "nginx.ingress.kubernetes.io/"
NAVIGATION: Final = {
    "accept": "text/html",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "none",
}


def read(name: str) -> list[dict[str, Any]]:
    """The documents of a file."""
    return [each for each in yaml.safe_load_all((FOLDER / f"{name}.yaml").read_text()) if each]


def resource(kind: str, name: str = "orders", file: str | None = None) -> dict[str, Any]:
    """The only resource of that kind and name."""
    files = [file] if file else RESOURCES
    found = [
        each
        for one in files
        for each in read(one)
        if each["kind"] == kind and each["metadata"]["name"] == name
    ]
    (only,) = found
    return only


def container() -> dict[str, Any]:
    """The container of the Deployment."""
    (only,) = resource("Deployment")["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def filled(text: str) -> str:
    """A text with something in place of its placeholders, as its reader puts it there."""
    text = re.sub(r"<(tenant|client) ID[^>]*>", ID, text)
    return re.sub(r"<[^>]*(secret|password)>", "s" * 40, text)


@pytest.fixture
def image() -> Stage:
    """What the image is in the end."""
    return stages(IMAGE / "Dockerfile")[-1]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder that the Deployment mounts, with a file for each key of the Secret."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, value in resource("Secret", "orders-entra", "secret")["stringData"].items():
        (folder / name).write_text(filled(value))
    return folder


@pytest.fixture
def settings(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> EntraSettings:
    """What the service makes of ConfigMap and Secret."""
    for name, value in resource("ConfigMap")["data"].items():
        monkeypatch.setenv(name, filled(value))
    monkeypatch.setenv("CAMUNDA_ENTRA_SECRETS_DIR", str(secrets))
    return EntraSettings()


@pytest.fixture
def emulator() -> Iterator[EntraEmulator]:
    """A local Entra that is served."""
    emulator = EntraEmulator()
    with emulator.serve():
        yield emulator


@contextmanager
def started(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The image's service with the ConfigMap's variables, and the local Entra in the tenant's place."""
    for name, value in (resource("ConfigMap")["data"] | emulator.environment()).items():
        if name != "CAMUNDA_ENTRA_SECRETS_DIR":
            monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("container_sample", IMAGE / "main.py")
    assert spec
    assert spec.loader
    sample = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sample)
    base = resource("ConfigMap")["data"]["CAMUNDA_ENTRA_BASE_URL"]
    with TestClient(sample.app, base_url=base, follow_redirects=False) as client:
        yield client


@pytest.fixture
def service(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The service, started."""
    with started(emulator, monkeypatch) as client:
        yield client


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", RESOURCES)
def test_kubernetes_own_kinds_are_valid(name: str, version: str) -> None:
    """By the schemas of the API server (openapi/swagger.json of Kubernetes), unknown fields refused."""
    for each in read(name):
        if (each["apiVersion"], each["kind"]) not in FIELDS:
            assert kubernetes_validate.validate(each, version, strict=True) == version


@pytest.mark.parametrize("name", RESOURCES)
def test_custom_resources_have_fields_that_exist(name: str) -> None:
    """By the tables of ``custom_resources.py``, which name the definitions that they are of."""
    for each in read(name):
        if allowed := FIELDS.get((each["apiVersion"], each["kind"])):
            assert set(each) == {"apiVersion", "kind", "metadata", "spec"}
            assert set(paths_of(each["spec"])) <= allowed


def test_the_mesh_s_configuration_has_fields_that_exist() -> None:
    """By the table of Istio's MeshConfig."""
    (document,) = read("istio-mesh-config")
    assert set(paths_of(document)) <= MESH_FIELDS


def test_every_file_is_looked_at() -> None:
    """A manifest that is added takes part in these tests."""
    assert {file.stem for file in FOLDER.glob("*.y*ml")} == {*RESOURCES, *VALUES}


def test_everything_is_in_one_namespace_but_what_the_gateway_owns() -> None:
    """Istio's policy stands with the Gateway that it is for."""
    for name in RESOURCES:
        for each in read(name):
            expected = "gateway" if each["kind"] == "AuthorizationPolicy" else "orders"
            assert each["metadata"]["namespace"] == expected


def test_selectors_find_the_pods() -> None:
    """Deployment, Service, disruption budget, network policy and spread mean the same pods."""
    template = resource("Deployment")["spec"]["template"]
    (spread,) = template["spec"]["topologySpreadConstraints"]
    selectors = [
        resource("Deployment")["spec"]["selector"]["matchLabels"],
        resource("Service")["spec"]["selector"],
        resource("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        resource("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        spread["labelSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector
        assert selector.items() <= template["metadata"]["labels"].items()


def test_ports_are_the_image_s(image: Stage) -> None:
    """What the image exposes is what the pod names, the Service offers and the policy lets in."""
    (port,) = container()["ports"]
    assert str(port["containerPort"]) == image.value("EXPOSE")
    (offered,) = resource("Service")["spec"]["ports"]
    assert (offered["port"], offered["targetPort"]) == (port["containerPort"], port["name"])
    (rule,) = resource("NetworkPolicy")["spec"]["ingress"]
    assert rule["ports"] == [{"port": port["name"], "protocol": "TCP"}]
    assert rule["from"], "Everybody may reach the service."


def test_the_pod_runs_as_the_image_does(image: Stage) -> None:
    """The same user, who may read the mounted secrets, with nothing to write to and no privileges."""
    pod = resource("Deployment")["spec"]["template"]["spec"]["securityContext"]
    assert image.value("USER") == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert pod["runAsNonRoot"] is True
    (volume,) = resource("Deployment")["spec"]["template"]["spec"]["volumes"]
    assert (pod["fsGroup"], volume["secret"]["defaultMode"]) == (pod["runAsGroup"], 0o440)
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_pod_ends_after_its_requests() -> None:
    """Kubernetes waits for longer than the pause and uvicorn's own limit for requests together."""
    command = stages(IMAGE / "Dockerfile")[-1].command("CMD")
    limit = int(command[command.index("--timeout-graceful-shutdown") + 1])
    pause = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    pod = resource("Deployment")["spec"]["template"]["spec"]
    assert pause + limit < pod["terminationGracePeriodSeconds"]


def test_names_that_are_referred_to_are_there() -> None:
    """ConfigMap, Secret, its folder, account, and whom the registration trusts."""
    pod = resource("Deployment")["spec"]["template"]["spec"]
    (source,) = container()["envFrom"]
    configuration = resource("ConfigMap", source["configMapRef"]["name"])["data"]
    (volume,), (mount,) = pod["volumes"], container()["volumeMounts"]
    assert resource("Secret", volume["secret"]["secretName"], "secret")
    assert mount["name"] == volume["name"]
    assert mount["mountPath"] == configuration["CAMUNDA_ENTRA_SECRETS_DIR"]
    account = resource("ServiceAccount", pod["serviceAccountName"])
    assert (
        account["metadata"]["annotations"]["azure.workload.identity/client-id"]
        == configuration["CAMUNDA_IDENTITY_CLIENT_ID"]
    )
    labels = resource("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert labels["azure.workload.identity/use"] == "true"


def test_the_settings_are_what_the_manifests_say(settings: EntraSettings) -> None:
    """Every name is a setting, every value one that it takes; placeholders alone are the reader's."""
    named = {*resource("ConfigMap")["data"], *resource("Secret", "orders-entra", "secret")["stringData"]}
    known = {f"CAMUNDA_{kind}_{name.upper()}" for kind in ("IDENTITY", "ENTRA") for name in dict(settings)}
    assert named - known == {"CAMUNDA_ENTRA_SECRETS_DIR"}
    assert settings.tenant == settings.client_id == ID
    assert settings.client_secret
    assert settings.session_secret
    assert settings.session_store.startswith("rediss://:")
    assert settings.base_url == "https://orders.example.com"


def test_the_secret_s_other_sources_have_the_same_keys() -> None:
    """The operator writes that Secret; the driver writes files of those names."""
    keys = set(resource("Secret", "orders-entra", "secret")["stringData"])
    external = resource("ExternalSecret", "orders-entra")["spec"]
    assert external["target"]["name"] == "orders-entra"
    assert {each["secretKey"] for each in external["data"]} == keys
    store = resource("SecretStore", external["secretStoreRef"]["name"])
    assert resource("ServiceAccount", store["spec"]["provider"]["azurekv"]["serviceAccountRef"]["name"])
    parameters = resource("SecretProviderClass", "orders-entra")["spec"]["parameters"]
    files = [yaml.safe_load(each) for each in yaml.safe_load(parameters["objects"])["array"]]
    assert {each["objectAlias"] for each in files} == keys
    names = {each["objectName"] for each in files}
    assert names == {each["remoteRef"]["key"] for each in external["data"]}


def test_the_driver_s_volume_is_valid_in_the_deployment() -> None:
    """The line that the comment gives takes the place of the volume."""
    (line,) = re.findall(
        r"^#   (csi: .*)$", (FOLDER / "secret-provider-class.yaml").read_text(), re.MULTILINE
    )
    deployment = resource("Deployment")
    source = yaml.safe_load(line)
    deployment["spec"]["template"]["spec"]["volumes"] = [{"name": "secrets"} | source]
    assert kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)
    assert resource("SecretProviderClass", source["csi"]["volumeAttributes"]["secretProviderClass"])


def test_probes_ask_what_they_are_for(service: TestClient) -> None:
    """With Entra's keys there both are fine, whatever host the kubelet names."""
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container()[probe]["httpGet"]
        assert asked["port"] == container()["ports"][0]["name"]
        assert service.get(asked["path"], headers={"Host": "10.1.2.3:8000"}).status_code == 200


def test_without_keys_a_pod_gets_no_traffic_and_is_not_started_again(
    emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart would bring no keys, and cost those that other pods of the Deployment still have."""
    emulator.down()
    with started(emulator, monkeypatch) as service:
        asked = (container()[each]["httpGet"]["path"] for each in ("readinessProbe", "livenessProbe"))
        assert [service.get(path).status_code for path in asked] == [503, 200]


def paths_to_orders() -> Iterator[tuple[str, str]]:
    """Which paths from outside lead to the service, by each kind of route."""
    for rule in resource("HTTPRoute")["spec"]["rules"]:
        assert [each["name"] for each in rule["backendRefs"]] == ["orders"]
        for match in rule["matches"]:
            yield "HTTPRoute", match["path"]["value"]
    for rule in resource("Ingress")["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            assert path["backend"]["service"] == {"name": "orders", "port": {"name": "http"}}
            yield "Ingress", path["path"]
    for route in resource("IngressRoute")["spec"]["routes"]:
        if route["services"][0]["name"] == "orders":
            for path in re.findall(r"PathPrefix\(`(.*?)`\)", route["match"]):
                yield "IngressRoute", path


def test_nobody_outside_asks_the_gateway_s_questions(service: TestClient, emulator: EntraEmulator) -> None:
    """No route that leads to the service has their path, and its usual path answers nobody."""
    routes = list(paths_to_orders())
    assert {kind for kind, _ in routes} == {"HTTPRoute", "Ingress", "IngressRoute"}
    for kind, path in routes:
        assert not "/gateway/verify".startswith(path), kind
    token = {"Authorization": f"Bearer {emulator.token()}"}
    assert service.get("/gateway/verify", headers=token).status_code == 200
    assert service.get("/auth/verify", headers=token).status_code == 404


def test_everything_else_is_guarded() -> None:
    """The program that knows nothing of Entra is reached by routes alone that ask first."""
    (policy,) = read("envoy-gateway")
    assert [each["name"] for each in policy["spec"]["targetRefs"]] == ["reports"]
    assert resource("HTTPRoute", "reports")
    middlewares = {each["metadata"]["name"] for each in read("traefik") if each["kind"] == "Middleware"}
    for route in resource("IngressRoute")["spec"]["routes"]:
        asked = {each["name"] for each in route.get("middlewares", [])}
        assert asked <= middlewares
        assert bool(asked) == (route["services"][0]["name"] == "reports")
    for each in read("ingress-nginx"):
        leads = each["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
        assert (f"{NGINX}auth-url" in each["metadata"]["annotations"]) == (leads == "reports")


def test_istio_lets_by_what_the_route_sends_to_orders() -> None:
    """Every path of the policy's exceptions leads to the service; with its port a host is the same one."""
    (rule,) = resource("AuthorizationPolicy", "reports")["spec"]["rules"]
    operation = rule["to"][0]["operation"]
    prefixes = {path for kind, path in paths_to_orders() if kind == "HTTPRoute"}
    for exception in operation["notPaths"]:
        assert exception.removesuffix("/*") in prefixes
    (host,) = resource("HTTPRoute")["spec"]["hostnames"]
    assert operation["hosts"] == [host, f"{host}:*"]
    (mesh,) = read("istio-mesh-config")
    (provider,) = mesh["meshConfig"]["extensionProviders"]
    assert resource("AuthorizationPolicy", "reports")["spec"]["provider"]["name"] == provider["name"]


def test_addresses_are_the_service_s() -> None:
    """Whoever asks asks the Service, in its namespace and at its port, and fails closed."""
    name, port = resource("Service")["metadata"]["name"], resource("Service")["spec"]["ports"][0]["port"]
    assert f"{name}.orders.svc.cluster.local:{port}" == ADDRESS
    for each in read("traefik"):
        if each["kind"] == "Middleware":
            assert urlsplit(each["spec"]["forwardAuth"]["address"]).netloc == ADDRESS
            assert each["spec"]["forwardAuth"]["trustForwardHeader"] is False
    for each in read("ingress-nginx"):
        if url := each["metadata"]["annotations"].get(f"{NGINX}auth-url"):
            assert urlsplit(url).netloc == ADDRESS
    (mesh,) = read("istio-mesh-config")
    istio = mesh["meshConfig"]["extensionProviders"][0]["envoyExtAuthzHttp"]
    assert f"{istio['service']}:{istio['port']}" == ADDRESS
    policy = read("envoy-gateway")[0]["spec"]["extAuth"]
    assert policy["http"]["backendRefs"] == [{"name": name, "port": port}]
    assert istio["failOpen"] is policy["failOpen"] is False


def told_by_lua(table: str) -> set[str]:
    """The names in a table of ``verify.lua``, the recipe that says what the service reads and tells."""
    text = (ROOT / "samples" / "gateways" / "verify.lua").read_text()
    (found,) = re.findall(rf"^local {table} = {{(.*?)}}", text, re.MULTILINE | re.DOTALL)
    return set(re.findall(r'"(.*?)"', found))


def envoys() -> dict[str, tuple[str, list[str], list[str]]]:
    """Of both that speak ext_authz: the prefix, what they send besides, what they tell the upstream."""
    policy = read("envoy-gateway")[0]["spec"]["extAuth"]
    (mesh,) = read("istio-mesh-config")
    istio = mesh["meshConfig"]["extensionProviders"][0]["envoyExtAuthzHttp"]
    return {
        "Envoy Gateway": (
            policy["http"]["path"],
            [*policy["headersToExtAuth"], "authorization"],
            policy["http"]["headersToBackend"],
        ),
        "Istio": (
            istio["pathPrefix"],
            istio["includeRequestHeadersInCheck"],
            istio["headersToUpstreamOnAllow"],
        ),
    }


@pytest.mark.parametrize("gateway", ["Envoy Gateway", "Istio"])
def test_ext_authz_sends_what_decides_and_tells_who_it_is(
    gateway: str, service: TestClient, emulator: EntraEmulator
) -> None:
    """A page leads to sign-in and back, a token lets in, and every header that is told is in the answer."""
    prefix, sent, told = envoys()[gateway]
    read_by_service = told_by_lua("ASKED") - {"host", "x-forwarded-host"}
    assert all(any(fnmatch(name, pattern) for pattern in sent) for name in read_by_service)
    assert set(told) == told_by_lua("TOLD")
    page = {name: value for name, value in NAVIGATION.items() if any(fnmatch(name, each) for each in sent)}
    answer = service.get(f"{prefix}/reports?month=5", headers=page)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("https://orders.example.com/auth/login?return_to=/reports")
    token = {"Authorization": f"Bearer {emulator.token(roles=['Orders.Admin'])}"}
    answer = service.post(f"{prefix}/reports", headers=token)
    assert answer.status_code == 200
    assert {name for name in told if name not in answer.headers} == set()
    assert answer.headers["X-Auth-Request-Roles"] == "Orders.Admin"
    assert service.get(f"{prefix}/reports").status_code == 401


def test_envoy_s_question_demands_a_role_by_a_prefix_of_its_own(emulator: EntraEmulator) -> None:
    """As the page has it: two routers side by side, and the client's own query demands nothing."""
    entra = CamundaEntra(emulator.settings())
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app)
    app.include_router(entra.forward_auth_router(prefix="/gateway"))
    app.include_router(entra.forward_auth_router(prefix="/gateway-admins", roles=["Orders.Admin"]))
    found = []
    with TestClient(app) as client:
        for roles in ([], ["Orders.Admin"]):
            token = {"Authorization": f"Bearer {emulator.token(roles=roles)}"}
            for prefix in ("/gateway", "/gateway-admins"):
                url = f"{prefix}/ext-authz/admin?role=Orders.Reader"
                found.append(client.get(url, headers=token).status_code)
    assert found == [200, 403, 200, 200]


def test_traefik_s_questions_are_answered(service: TestClient, emulator: EntraEmulator) -> None:
    """By middleware: people need a session or token, administrators the role; what is copied is told."""
    original = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/admin", "X-Forwarded-Proto": "https"}
    reader = {"Authorization": f"Bearer {emulator.token()}"}
    admin = {"Authorization": f"Bearer {emulator.token(roles=['Orders.Admin'])}"}
    expected = {"people": (200, 200), "administrators": (403, 200)}
    for each in read("traefik"):
        if each["kind"] != "Middleware":
            continue
        forward = each["spec"]["forwardAuth"]
        address = urlsplit(forward["address"])
        url = f"{address.path}?{address.query}"
        answers = [service.get(url, headers=original | who) for who in (reader, admin)]
        assert tuple(answer.status_code for answer in answers) == expected[each["metadata"]["name"]]
        copied = {name for name in answers[1].headers if re.match(forward["authResponseHeadersRegex"], name)}
        assert copied == told_by_lua("TOLD")
        # "_" is "-" to many a program, so the regular expression takes those out as well.
        for name in told_by_lua("TOLD") | {"x-entra-identity", "x-auth-request-access-token"}:
            assert re.match(forward["authResponseHeadersRegex"], name.replace("-", "_").title())
        answer = service.get(url, headers=original | NAVIGATION)
        assert answer.headers["Location"].endswith("/auth/login?return_to=/admin")
        cookie = resource("ConfigMap")["data"]["CAMUNDA_ENTRA_COOKIE_NAME"]
        assert forward["addAuthCookiesToResponse"] == [f"__Host-{cookie}{end}" for end in ("", "-1", "-2")]


def test_ingress_nginx_s_questions_are_answered(service: TestClient, emulator: EntraEmulator) -> None:
    """As its template asks (rootfs/etc/nginx/template/nginx.tmpl): the service's own host, X-Original-*."""
    pages = resource("Ingress", "reports-pages")["metadata"]["annotations"]
    programs = resource("Ingress", "reports-api")["metadata"]["annotations"]
    assert pages[f"{NGINX}auth-url"] == programs[f"{NGINX}auth-url"]
    assert f"{NGINX}auth-signin" not in programs
    asked = urlsplit(pages[f"{NGINX}auth-url"])
    question = f"{asked.path}?{asked.query}"
    original = {
        "Host": ADDRESS,
        "X-Original-URL": "https://orders.example.com/reports?month=5",
        "X-Original-Method": "GET",
    }
    # nginx makes 500 of all but 2xx, 401 and 403, so a page is not redirected here, but by auth-signin.
    assert service.get(question, headers=original | NAVIGATION).status_code == 401
    token = {"Authorization": f"Bearer {emulator.token()}"}
    answer = service.get(question, headers=original | token)
    assert answer.status_code == 200
    for annotations in (pages, programs):
        told = {name.lower() for name in annotations[f"{NGINX}auth-response-headers"].split(",")}
        # The two that no answer sets are named as well: nginx takes away what a client sent.
        assert told == told_by_lua("TOLD") | {"x-auth-request-access-token", "x-entra-identity"}
    sign_in = pages[f"{NGINX}auth-signin"].replace("$escaped_request_uri", "%2Freports%3Fmonth%3D5")
    assert f"{pages[f'{NGINX}auth-signin-redirect-param']}=" in urlsplit(sign_in).query
    answer = service.get(sign_in, headers=NAVIGATION)
    assert answer.status_code == 302
    entra = urlsplit(emulator.environment()["CAMUNDA_IDENTITY_ISSUER"]).netloc
    assert urlsplit(answer.headers["Location"]).netloc == entra


def test_camundas_values_name_the_same_tenant(settings: EntraSettings) -> None:
    """The issuer is one that this package takes, and the endpoints are those that belong to it."""
    (values,) = read("camunda-values")
    auth = values["global"]["identity"]["auth"]
    assert filled(auth["issuer"]) == filled(auth["issuerBackendUrl"]) == settings.issuer
    assert filled(auth["authUrl"]) == settings.authorization_url
    assert filled(auth["tokenUrl"]) == settings.token_url
    assert values["global"]["security"]["authentication"]["method"] == "oidc"
    oidc = values["orchestration"]["security"]["authentication"]["oidc"]
    assert oidc["audience"] == oidc["clientId"]
    assert f"{oidc['clientId']}/.default" in oidc["scope"]
