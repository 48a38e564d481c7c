"""Dashboard, alerts and the page about them: every name is one of the code, as Prometheus has it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final, cast

import httpx
import promql_parser
import pytest
import yaml
from fastapi import FastAPI
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest

from camunda_entra_fastapi.errors import CODES
from camunda_entra_fastapi.log_records import LOG_FIELDS
from camunda_entra_fastapi.telemetry import INSTRUMENTS, Instrument
from tests.measuring import span_exporter
from tests.site import MakeSite, emulator, make_site

__all__ = ["emulator", "make_site"]

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "samples/observability"
PAGE: Final = (ROOT / "docs/how-to/run/logs-metrics-alerts.md").read_text("utf-8")
DASHBOARD: Final = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
ALERTS: Final = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))
RULES: Final = [rule for group in ALERTS["groups"] for rule in group["rules"]]
TARGETS: Final = [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel["targets"]]
PANELS: Final = [(f"{title} {target['refId']}", target["expr"]) for title, target in TARGETS]
QUERIES: Final = [*((rule["alert"], rule["expr"]) for rule in RULES), *PANELS]
OF_PROMETHEUS: Final = {"job", "instance", "le"}
"""Labels that Prometheus adds, and that of buckets."""


def exported() -> dict[str, Instrument]:
    """Each series of Prometheus and its instrument, as the real exporter writes them."""
    found: dict[str, Instrument] = {}
    for instrument in INSTRUMENTS:
        registry = CollectorRegistry()
        meter = MeterProvider([PrometheusMetricReader(registry=registry)], shutdown_on_exit=False).get_meter(
            "x"
        )
        named = {"unit": instrument.unit, "description": instrument.description}
        attributes = dict.fromkeys(instrument.attributes, "x")
        if instrument.kind == "counter":
            meter.create_counter(instrument.name, **named).add(1, attributes)
        elif instrument.kind == "histogram":
            histogram = meter.create_histogram(
                instrument.name, unit=instrument.unit, description=instrument.description
            )
            histogram.record(1, attributes)
        else:
            create: Any = (
                meter.create_observable_counter
                if instrument.kind == "observable counter"
                else meter.create_observable_gauge
            )
            observations = [Observation(1, attributes)]
            create(instrument.name, [lambda _, same=observations: same], **named)
        for line in generate_latest(registry).decode().splitlines():
            if not line.startswith("#") and line.startswith("camunda_entra"):
                found[re.split(r"[{ ]", line)[0]] = instrument
    return found


SERIES: Final = exported()


def selectors(query: str) -> Iterator[promql_parser.VectorSelector]:
    """The selectors of a query; Grafana's variables are no PromQL."""
    parsed = promql_parser.parse(query.replace("$__rate_interval", "5m").replace("$job", ".*"))
    waiting: list[Any] = [parsed]
    while waiting:
        node = waiting.pop()
        if isinstance(node, promql_parser.VectorSelector):
            yield node
        for name in ("expr", "lhs", "rhs", "args", "vector_selector", "param"):
            inner = getattr(node, name, None)
            waiting += inner if isinstance(inner, list) else [] if inner is None else [inner]


def test_the_exporter_writes_each_instrument() -> None:
    """Counters end in _total, times in _seconds; a histogram has three series."""
    assert {instrument.name for instrument in SERIES.values()} == {one.name for one in INSTRUMENTS}
    assert SERIES.keys() == {
        "camunda_entra_validations_total",
        "camunda_entra_remembered_hits_total",
        *(f"camunda_entra_validation_duration_seconds_{end}" for end in ("bucket", "count", "sum")),
        "camunda_entra_refusals_total",
        "camunda_entra_sign_ins_total",
        "camunda_entra_session_leased_hits_total",
        "camunda_entra_session_operations_total",
        "camunda_entra_session_renewals_total",
        "camunda_entra_token_fetches_total",
        "camunda_entra_refreshes_total",
        "camunda_entra_keys_age_seconds",
    }


@pytest.mark.parametrize("query", [query for _, query in QUERIES], ids=[name for name, _ in QUERIES])
def test_a_query_can_be_parsed_and_has_names_of_the_code(query: str) -> None:
    """Metrics, labels and values: a typing error in an alert is silence for ever."""
    found = list(selectors(query))
    assert found
    for selector in found:
        instrument = SERIES[str(selector.name)]
        for matcher in selector.matchers.matchers:
            assert matcher.name in {*instrument.attributes, *OF_PROMETHEUS}
            if matcher.name in instrument.attributes:
                words = instrument.attributes[matcher.name]
                for value in matcher.value.split("|"):
                    is_code = "code of the" in words and value in CODES
                    assert is_code or value in re.findall(r"\w+", words), value
    for labels in re.findall(r"\bby \(([^)]*)\)", query):
        known = {name for selector in found for name in SERIES[str(selector.name)].attributes}
        assert {label.strip() for label in labels.split(",")} <= known | OF_PROMETHEUS


def test_the_dashboard_shows_each_instrument_and_is_of_grafanas_shape() -> None:
    """What is measured and nobody sees is measured in vain."""
    shown = {SERIES[str(selector.name)].name for _, query in PANELS for selector in selectors(query)}
    assert shown == {one.name for one in INSTRUMENTS}
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    places = [tuple(panel["gridPos"][side] for side in ("x", "y", "w", "h")) for panel in panels]
    for (ax, ay, aw, ah), (bx, by, bw, bh) in product(places, repeat=2):
        overlap = ax < bx + bw and bx < ax + aw and ay < by + bh and by < ay + ah
        assert not overlap or (ax, ay) == (bx, by)
    assert all(x + width <= 24 for x, _, width, _ in places)
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z_]+)", json.dumps(panels))) - {"__rate_interval"}
    assert used == variables == {"datasource", "job"}
    (job,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == "job"]
    match = re.fullmatch(r"label_values\((\w+), job\)", job["query"]["query"])
    assert match
    assert match[1] in SERIES


def test_there_are_five_alerts_which_say_what_to_do() -> None:
    """As Prometheus reads rules; the page has the same ones."""
    assert len(RULES) == len({rule["alert"] for rule in RULES}) == 5
    for rule in RULES:
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert re.fullmatch(r"[0-9]+m", rule["for"])
        assert rule["annotations"].keys() == {"summary", "description"}
        text = " ".join(rule["annotations"].values())
        kept = re.search(r"by \(([^)]*)\)", rule["expr"])
        assert kept
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= {one.strip() for one in kept[1].split(",")}
    assert re.findall(r"^\| `(Entra\w+)` \|", PAGE, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_the_page_has_the_fields_of_records() -> None:
    """All, in the order of the code."""
    section = PAGE.partition("Records have these fields")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(LOG_FIELDS)


def blocks(language: str) -> list[str]:
    """The code of the page in that language."""
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_configuration_of_json_logs_works(tmp_path: Path) -> None:
    """One object a line, with the fields; run apart, as logging is configured for a whole process."""
    (tmp_path / "log.json").write_text(blocks("json")[0], encoding="utf-8")
    program = (
        "import json, logging.config, pathlib\n"
        "logging.config.dictConfig(json.loads(pathlib.Path('log.json').read_text()))\n"
        "from camunda_entra_fastapi.log_records import log_fields\n"
        "from camunda_entra_fastapi.telemetry import logger\n"
        "fields = log_fields(code='token_expired', path='/orders', azp='c')\n"
        "logger.info('Request refused: %s', 'x', extra=fields)\n"
        "logger.debug('hidden')\n"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    (line,) = run.stderr.splitlines()
    written = json.loads(line)
    assert written["message"] == "Request refused: x"
    assert (written["levelname"], written["name"]) == ("INFO", "camunda_entra_fastapi")
    assert (written["code"], written["path"], written["azp"]) == ("token_expired", "/orders", "c")


def test_the_scrape_configuration_is_one() -> None:
    """It names the path that the application has."""
    (scrape,) = [yaml.safe_load(block) for block in blocks("yaml")]
    (job,) = scrape["scrape_configs"]
    assert job.keys() == {"job_name", "metrics_path", "static_configs"}
    mounted = re.search(r'app\.mount\("([^"]+)"', PAGE)
    assert mounted
    assert job["metrics_path"] == f"{mounted[1]}/"


async def test_incoming_requests_traces_hold_no_code_of_a_sign_in(make_site: MakeSite) -> None:
    """FastAPI writes the query of each request into its spans, unless it is told to leave out the pages."""
    names: dict[str, Any] = {}
    (block,) = [block for block in blocks("python") if "exclude" in block]
    exec(block.partition("app = ")[0], names)
    excluded = re.search(r"telemetry=\{\"exclude\": (\w+)\}", block)
    assert excluded
    exporter = span_exporter()
    for telemetry, is_there in (({}, True), ({"exclude": names[excluded[1]]}, False)):
        site = make_site(app=FastAPI(telemetry=cast(Any, telemetry)))
        exporter.clear()
        browser = site.browser()
        await browser.signed_in()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url=site.url) as http:
            await http.get("/api")
        text = "".join(span.to_json() for span in exporter.get_finished_spans())
        assert ("url.query" in text and "code=" in text) is is_there
        assert "/api" in text
