"""The documentation's generated parts are what the code says now, and nothing public is missing."""

import ast
import itertools
import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import camunda_entra_fastapi
from camunda_entra_fastapi import EntraSettings, testing
from camunda_entra_fastapi.errors import CODES
from camunda_entra_fastapi.log_records import LOG_FIELDS
from camunda_entra_fastapi.remedies import REMEDIES
from camunda_entra_fastapi.settings.groups import Group
from camunda_entra_fastapi.settings.sources import variables_of
from camunda_entra_fastapi.telemetry import INSTRUMENTS
from camunda_entra_fastapi.web import forward_auth, identity_headers
from camunda_entra_fastapi.web.challenges import CODES_PAGE
from tests.docs.blocks.parsing import blocks_of, commands_of
from tests.docs.reference import (
    COMMAND,
    FOLDER,
    PAGES,
    codes,
    command_line,
    endpoints,
    fixtures,
    outputs,
    settings,
)
from tests.docs.reference import written as written_pages

OUTPUT = re.compile(r"^<!-- output: ([a-z-]+) -->\n+```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [
    pytest.param(path, name, text, id=f"{path.name}-{name}")
    for path in written_pages()
    for name, text in OUTPUT.findall(path.read_text(encoding="utf-8"))
]
WEB = Path(camunda_entra_fastapi.__path__[0]) / "web"


def page(name: str) -> str:
    """The page as it is in the repository."""
    return (FOLDER / name).read_text(encoding="utf-8")


def headings(name: str, level: int = 3) -> list[str]:
    """The page's headings of that level."""
    return re.findall(
        rf"^{'#' * level} (.+)$", re.sub(r"```.*?```", "", page(name), flags=re.DOTALL), re.MULTILINE
    )


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says_now(name: str) -> None:
    """Whoever changes the code writes the pages anew."""
    assert page(name) == PAGES[name](), f"docs/reference/{name} is not what the code says now: {COMMAND}"


@pytest.mark.parametrize(("path", "name", "text"), SHOWN)
def test_an_output_is_what_the_command_says_now(path: Path, name: str, text: str) -> None:
    """Each command is run, and what it says is what the page shows."""
    assert name in outputs.NAMES, f"{path.name}: there is {', '.join(outputs.NAMES)}"
    assert text == outputs.output(name), f"{path.name} shows another output of {name}: {COMMAND}"


def test_each_output_is_in_a_fence_that_is_filled() -> None:
    """A marker that nothing follows would stay empty, and nobody would see it."""
    for path in written_pages():
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(r"<!-- output: ", text)) == len(OUTPUT.findall(text)), path


# Settings


def test_each_setting_has_its_heading_once() -> None:
    """Its anchor is the variable in small letters, on this site as on GitHub."""
    expected = sorted(variables_of(field)[0] for field in EntraSettings.model_fields)
    assert sorted(headings("settings.md")) == expected


@pytest.mark.parametrize("field", EntraSettings.model_fields)
def test_each_setting_says_what_it_is_for(field: str) -> None:
    """The text below the field, which is whole sentences, and one group of those that the page has."""
    text = settings.texts()[field]
    assert text.endswith(".")
    assert "``" not in text, "the texts of settings are Markdown"
    assert settings.group_of(field) in settings.GROUPS
    assert set(settings.GROUPS) == set(Group)


@pytest.mark.parametrize("field", EntraSettings.model_fields)
def test_the_default_of_a_setting_is_a_value_for_it(field: str) -> None:
    """Whoever sets a variable to its documented default changes nothing."""
    shown = settings.default_of(field)
    if (literal := re.fullmatch("`(.+)`", shown)) is None:
        assert shown in {"none", "none, it is required", "the issuer"}
        return
    usual = settings.example()
    value = literal[1].replace("<client ID>", usual.client_id)
    assert getattr(settings.example(**{field: value}), field) == getattr(usual, field)


@pytest.mark.parametrize("field", EntraSettings.model_fields)
def test_the_example_of_a_setting_is_accepted(field: str) -> None:
    """What the page shows as a right value is one; a file must be there, so its example is left out."""
    issuer = {
        "issuer_backend_url": {},
        "allowed_tenants": {"issuer": "https://login.microsoftonline.com/common/v2.0"},
    }
    for example in re.findall("for example `(.+?)`", settings.shape_of(field)):
        if field != "ca_bundle":
            changes: dict[str, Any] = {**issuer.get(field, {}), field: example}
            assert getattr(settings.example(**changes), field) is not None


def test_the_lifetime_is_shown_in_seconds() -> None:
    """Of a value that is no number the page shows what the variable takes."""
    lifetime = settings.example().session_lifetime
    assert lifetime == timedelta(seconds=int(settings.default_of("session_lifetime").strip("`")))


def test_the_settings_that_most_readers_need_are_there() -> None:
    """They are on top, and each of them is a field."""
    shown = re.findall(r"^(CAMUNDA_\w+)=", settings.INTRODUCTION, re.MULTILINE)
    assert shown == [variables_of(field)[0] for field in settings.FIVE]


# Codes


def test_each_code_has_its_heading_once() -> None:
    """``errors.CODES`` without those that reach nobody; the anchor is the code."""
    assert sorted(headings("codes.md")) == sorted(CODES.keys() - codes.INTERNAL)
    assert CODES.keys() > codes.INTERNAL


@pytest.mark.parametrize("code", codes.PUBLIC)
def test_each_code_has_meaning_status_and_remedy(code: str) -> None:
    """The sentence of ``errors``, the status of ``web.challenges``, and a remedy that says what to do."""
    section = page("codes.md").partition(f"### {code}\n")[2].partition("###")[0]
    assert CODES[code] in section
    assert f"Status: {codes.answer_of(code).status}," in section
    assert REMEDIES[code].endswith(".")
    assert len(REMEDIES[code]) > len("Do something.")


def test_codes_have_the_statuses_of_the_contract() -> None:
    """Some of each kind, as RFC 6750, 3.1 and RFC 9110, 15 have them: the page reads the right table."""
    expected = {
        "credentials_missing": 401,
        "authorization_repeated": 400,
        "token_expired": 401,
        "role_missing": 403,
        "insufficient_claims": 401,
        "cross_origin": 403,
        "login_refused": 400,
        "consent_required": 403,
        "keys_unavailable": 503,
        "entra_timeout": 504,
        "entra_failed": 502,
        "entra_refused": 502,
        "sessions_unavailable": 503,
    }
    assert {code: codes.answer_of(code).status for code in expected} == expected


def test_the_address_in_challenges_is_that_of_the_page() -> None:
    """``error_uri`` leads to the page as a site has it: a folder named after the file."""
    assert f"reference/{codes.NAME.removesuffix('.md')}/" == CODES_PAGE
    assert (FOLDER / codes.NAME).is_file()


# Endpoints


def read_of_queries() -> Iterator[str]:
    """The names that the modules of ``web`` ask a request's query for."""
    for path in WEB.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and ast.unparse(call.func.value) in {"request.query_params", "parameters"}
                and call.func.attr in {"get", "getlist"}
                and isinstance(call.args[0], ast.Constant)
            ):
                yield str(call.args[0].value)


def test_each_parameter_of_a_query_is_documented() -> None:
    """What code asks the query for is on the page, but for what Entra sends to the callbacks."""
    documented = {name for names in endpoints.QUERIES.values() for name in names}
    read = set(read_of_queries()) | {*forward_auth._LISTS, *forward_auth._SINGLE}
    assert {"return_to", "prompt", "keys", "role"} <= read
    assert read - documented <= {"state"}
    assert documented <= read


def test_each_header_for_the_upstream_is_documented() -> None:
    """The constants of ``web.identity_headers``, and that of signed identities."""
    constants = {value for value in vars(identity_headers).values() if str(value).startswith("X-")}
    documented = {name.removesuffix("1") for name in endpoints.ANSWERS}
    assert constants <= documented
    assert documented - constants == {"X-Entra-Identity"}


def test_each_endpoint_has_its_heading() -> None:
    """A method and a path each, whose anchor has neither blanks nor slashes."""
    found = {heading.partition(" /")[2] for heading in headings("endpoints.md")}
    routes = endpoints.routes()
    assert {path.removeprefix("/") for path in routes} - {"auth/ext-authz"} == found
    assert "GET /auth/verify" in headings("endpoints.md")
    assert endpoints.QUERIES.keys() | endpoints.REMARKS.keys() <= routes.keys()


# All others


@pytest.mark.parametrize("module", [camunda_entra_fastapi, testing], ids=lambda module: module.__name__)
def test_each_public_name_is_described(module: Any) -> None:
    """What can be imported is on the page of the Python API, once, and nothing else is."""
    shown = re.findall(rf"^::: {re.escape(module.__name__)}\.(\w+)$", page("python-api.md"), re.MULTILINE)
    assert sorted(shown) == sorted(module.__all__)


def test_each_command_and_option_is_on_the_page() -> None:
    """With its whole text; the ones for completion are those of typer."""
    text = " ".join(page("command-line.md").replace("`", "").split())
    for name, command in command_line.tree().commands.items():
        assert f"camunda-entra {name}" in headings("command-line.md", 2)
        for parameter in command.params:
            if parameter.name != "help":
                assert " ".join(parameter.help.replace("`", "").split()) in text, (name, parameter.name)
                assert parameter.param_type_name == "argument" or parameter.opts[0] in text
    assert not re.search(r"&\w+;|&#|\.\.\. *$", page("command-line.md"), re.MULTILINE)


EXAMPLES = [
    command.text
    for block in blocks_of(FOLDER / "command-line.md")
    if block.language == "console"
    for command in commands_of(block)
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_can_be_pasted(example: str) -> None:
    """A shell reads it, its lines fit 80 columns, and the command has each option that it names."""
    assert max(map(len, example.splitlines())) <= 78
    assert shlex.split(example)
    words = re.sub(r'[$()"\\]', " ", example).split()
    commands = command_line.tree().commands
    for at in [at for at, word in enumerate(words) if word.endswith("camunda-entra")]:
        options = {
            name for one in commands[words[at + 1]].params for name in (*one.opts, *one.secondary_opts)
        }
        own = list(itertools.takewhile(lambda word: word not in {"|", ">", "&"}, words[at + 2 :]))
        assert {word for word in own if word.startswith("--")} <= options, example


def test_there_are_examples_for_each_command_with_variables() -> None:
    """Whoever looks for how it is called finds it."""
    assert {"doctor", "explain", "register", "token"} <= {
        word for example in EXAMPLES for word in re.findall(r"camunda-entra ([a-z]+)", example)
    }


def test_each_fixture_is_on_the_page() -> None:
    """And each method of the local Entra that the page names is there."""
    assert sorted(fixtures.fixtures()) == sorted(set(headings("fixtures.md", 2)) - {"In one look"})
    assert fixtures.MORE.keys() == fixtures.fixtures().keys()


def test_each_instrument_and_field_is_on_the_page() -> None:
    """Those of the registries in ``telemetry`` and ``log_records``."""
    assert headings("metrics.md") == [instrument.name for instrument in INSTRUMENTS]
    assert {f"| `{field}` | {text} |" for field, text in LOG_FIELDS.items()} <= set(
        page("metrics.md").splitlines()
    )


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.md")), ids=lambda path: path.name)
def test_links_between_these_pages_lead_somewhere(path: Path) -> None:
    """The page is there, and has the heading or the anchor."""
    for name, anchor in re.findall(r"\]\(([\w-]+\.md)?(?:#([\w-]+))?\)", path.read_text(encoding="utf-8")):
        text = page(name or path.name)
        if anchor:
            slugs = {
                re.sub(r"[^\w -]", "", found).lower().replace(" ", "-")
                for found in re.findall("^#+ (.+)$", text, re.M)
            }
            assert anchor in slugs | set(re.findall(r'<a id="([^"]+)">', text)), (
                f"{path.name}: {name}#{anchor}"
            )


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_readable(name: str) -> None:
    """One title, tables of at most three columns, no anchor twice."""
    text = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
    assert len(re.findall("^# ", text, re.MULTILINE)) == 1
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("| ")]
    assert all(line.count("|") <= 4 for line in rows)
    if name not in {"changelog.md", "aadsts.md", "local-entra.md"}:
        found = re.findall("^#+ (.+)$", text, re.MULTILINE)
        assert len(found) == len(set(found))


def test_each_method_of_the_applications_object_is_described() -> None:
    """So that none is known from the code alone."""
    [part] = re.findall(
        r"^::: camunda_entra_fastapi\.CamundaEntra\n(.*?)^## ",
        page("python-api.md"),
        re.DOTALL | re.MULTILINE,
    )
    shown = set(re.findall(r"^        - (\w+)$", part, re.MULTILINE))
    assert shown == {name for name in dir(camunda_entra_fastapi.CamundaEntra) if not name.startswith("_")}
