"""The exports of ``--print``, which do the same by other means."""

import json
import os
import re
import subprocess
from pathlib import Path

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import CONTOSO
from tests.cli.conftest import run_command

BASE = "https://operate.example.com"
NAME = "O'Per\"ate \U0001f600 ${x} %{y} $(z)"


def printed(export_format: str, *more: str) -> str:
    """The output."""
    options = ("--tenant", CONTOSO, "--base-url", BASE, "--role", "Operate.Admin", "--print", export_format)
    ran = run_command("register", NAME, *options, *more)
    assert ran.code == 0, ran.error
    return ran.output


def test_the_requests_to_graph_make_an_application(emulator: EntraEmulator) -> None:
    """They are sent one after the other, with the IDs filled in, to the emulator's Graph."""
    scopes = ("Application.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
    token = emulator.token(application="https://graph.microsoft.com", user="Ada Admin", scopes=scopes)
    headers = {"Authorization": f"Bearer {token}"}
    values: dict[str, str] = {"<1 year from now, as in 2030-01-31T00:00:00Z>": "2030-01-31T00:00:00Z"}
    with httpx2.Client(headers=headers, trust_env=False) as client:
        for each in json.loads(printed("graph", "--emulator", emulator.base_url)):
            text = json.dumps(each)
            for name, value in values.items():
                text = text.replace(name, value)
            request = json.loads(text)
            answer = client.request(request["method"], request["url"], json=request.get("body"))
            assert answer.is_success, answer.text
            if request["method"] == "GET":
                (graph,) = answer.json()["value"]
                values["<id of the service principal of Microsoft Graph>"] = graph["id"]
                scopes = graph["oauth2PermissionScopes"]
                values |= {f"<id of {scope['value']}>": scope["id"] for scope in scopes}
            elif request["url"].endswith("/applications"):
                values["<appId>"] = answer.json()["appId"]
            elif request["url"].endswith("/servicePrincipals"):
                values["<id of the service principal>"] = answer.json()["id"]
    made = emulator.tenant.application(values["<appId>"])
    assert made is not None
    assert (made.name, made.app_roles) == (NAME, ("Operate.Admin",))
    assert made.requested_access_token_version == 2
    assert len(made.secrets) == 1
    assert made.permissions is not None
    of_graph = made.permissions["00000003-0000-0000-c000-000000000000"]
    assert set(of_graph) == {"openid", "profile", "email", "offline_access", "User.Read"}


def test_the_script_for_az_runs(tmp_path: Path) -> None:
    """A script in place of az records its arguments; nothing of a name is interpreted by the shell."""
    script = tmp_path / "register.sh"
    script.write_text(printed("az"))
    az = tmp_path / "az"
    az.write_text(
        "#!/usr/bin/env python3\n"
        "import json, sys, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'asked')!r}).open('a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        "print('an-answer')\n"
    )
    az.chmod(0o755)
    ended = subprocess.run(
        ["bash", str(script)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    calls = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    one_permission = ["ad sp show --id", "ad app permission add"]
    assert [" ".join(each[:4]) for each in calls] == [
        "rest --method POST --uri",
        "ad app update --id",
        "rest --method PATCH --uri",
        *one_permission * 5,
        "ad sp create --id",
        "ad app permission grant",
        "ad app permission grant",
        "ad app credential reset",
    ]
    body = json.loads(calls[0][calls[0].index("--body") + 1])
    assert body["displayName"] == NAME
    patch = json.loads(calls[2][calls[2].index("--body") + 1])
    assert patch["requiredResourceAccess"][0]["resourceAppId"] == "an-answer"
    assert "--append" in calls[-1]
    assert calls[-1][calls[-1].index("--years") + 1] == "1"
    assert "CAMUNDA_IDENTITY_CLIENT_SECRET=an-answer" in ended.stdout
    assert f"CAMUNDA_IDENTITY_ISSUER=https://login.microsoftonline.com/{CONTOSO}/v2.0" in ended.stdout
    assert f"CAMUNDA_ENTRA_BASE_URL={BASE}" in ended.stdout


def test_terraform_says_the_same() -> None:
    """Blocks are closed, strings hold no templates but ours, and each redirect URI is there."""
    text = printed("terraform", "--redirect-uri", "https://a.example/cb")
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    assert bare.count("{") == bare.count("}")
    escaped = json.dumps(NAME, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
    assert re.findall(r"display_name +=( .*)", text)[0].strip() == escaped
    assert "requested_access_token_version = 2" in text
    assert 'additional_properties = ["include_user_token"]' in text
    for uri in (f"{BASE}/auth/login-callback", "https://a.example/cb"):
        assert f'"{uri}"' in text
    assert 'value                = "Operate.Admin"' in text
    without = run_command(
        "register", "X", "--tenant", CONTOSO, "--redirect-uri", BASE, "--print", "terraform"
    )
    assert "logout_url" not in without.output
    assert "app_role {" not in without.output


def test_a_tenant_that_is_no_id_is_looked_up() -> None:
    """Issuers name tenants by ID alone, so that a domain never becomes part of one."""
    for more in (("--tenant", "contoso.example"), ("--tenant", "organizations")):
        script = printed("az", *more)
        assert "/$(az account show --query tenantId --output tsv)/v2.0" in script
        assert ("# az login --tenant contoso.example" in script) == ("contoso.example" in more)
        text = printed("terraform", *more)
        issuer = "https://login.microsoftonline.com/${data.azuread_client_config.current.tenant_id}/v2.0"
        assert f'CAMUNDA_IDENTITY_ISSUER             = "{issuer}"' in text
        assert ('tenant_id   = "contoso.example"' in text) == ("contoso.example" in more)


def test_what_the_options_say_is_in_all_three() -> None:
    """A secret for two years, Swagger UI as a single-page application, no base URL where there are two."""
    more = ("--secret-years", "2", "--docs", "spa", "--base-url", "https://two.example")
    script, text, requests = (printed(export_format, *more) for export_format in ("az", "terraform", "graph"))
    assert "--years 2" in script
    assert '"17520h"' in text
    assert "<2 years from now" in requests
    docs = f"{BASE}/docs/oauth2-redirect"
    assert f'"spa": {{"redirectUris": ["{docs}", "https://two.example/docs/oauth2-redirect"]}}' in script
    block = text[text.index("single_page_application") :].partition("}")[0]
    assert docs in block
    assert docs not in text.partition("single_page_application")[0]
    assert json.loads(requests)[1]["body"]["spa"]["redirectUris"][0] == docs
    assert "CAMUNDA_ENTRA_BASE_URL" not in script + text


@pytest.mark.parametrize(
    ("cloud", "host", "graph", "az", "terraform"),
    [
        ("usgov", "login.microsoftonline.us", "graph.microsoft.us", "AzureUSGovernment", "usgovernment"),
        ("dod", "login.microsoftonline.us", "dod-graph.microsoft.us", "AzureUSGovernment", "dod"),
        (
            "china",
            "login.partner.microsoftonline.cn",
            "microsoftgraph.chinacloudapi.cn",
            "AzureChinaCloud",
            "china",
        ),
    ],
)
def test_national_clouds(cloud: str, host: str, graph: str, az: str, terraform: str) -> None:
    """Each export has the cloud's endpoints."""
    script = printed("az", "--cloud", cloud)
    assert f"issuer=https://{host}/{CONTOSO}/v2.0" in script
    assert f"graph=https://{graph}/v1.0" in script
    assert f"# az cloud set --name {az}" in script
    assert f'environment = "{terraform}"' in printed("terraform", "--cloud", cloud)
    urls = [each["url"] for each in json.loads(printed("graph", "--cloud", cloud))]
    assert all(url.startswith(f"https://{graph}/v1.0/") for url in urls)
    assert "az cloud set" not in printed("az")
