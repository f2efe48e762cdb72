"""Settings are read from file and environment, and refused with the file, the key and what is allowed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from airside.config.approvals import ConfidenceSource, EscalationStep, NotifyTarget, TwoPerson
from airside.config.egress import EgressGrantSettings
from airside.config.guard_output import CheckSettings, Expression, HookSettings
from airside.config.guards import GuardRule, RestoreRule
from airside.config.handoffs import HandoffSettings
from airside.config.judges import JudgeSettings
from airside.config.loading import find_file, load
from airside.config.provenance import AnchorSettings, ListingSettings, RelationSettings
from airside.config.routing import FallbackRule, RoutedModel
from airside.config.secrets import GrantSettings, StoreSettings
from airside.config.settings import Settings
from airside.config.tools import LocalToolSettings, McpServerSettings, OpenApiSettings
from airside.core.errors import AirsideError, Code

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "airside.example.yaml"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODEL_PROVIDER", "MAX_COST_PER_QUERY", "AIRSIDE_DATABASE__URL"):
        monkeypatch.delenv(name, raising=False)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that an annotation mentions, inside dicts and unions too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def setting_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every setting as a dotted name; entries of a dict are called NAME."""
    for name, field in model.model_fields.items():
        sections = [section for section in models_in(field.annotation) if section is not Expression]  # it nests
        inner = f"{prefix}{name}.NAME." if "dict" in str(field.annotation) else f"{prefix}{name}."
        if not sections:
            yield prefix + name
        for section in sections:
            yield from setting_names(section, inner)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "airside.yaml"
    file.write_text(text)
    return file


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(AirsideError) as caught:
        load(written(tmp_path, text), {})
    assert caught.value.code is Code.MISCONFIGURED
    return caught.value.message


def test_the_example_loads_and_holds_every_default() -> None:
    example, default = load(EXAMPLE, {}), Settings()
    for section in (
        "database",
        "server",
        "budgets",
        "tools",
        "policy",
        "approvals",
        "runs",
        "webhooks",
        "resilience",
        "rates",
        "notices",
        "routing",
        "fallbacks",
        "secrets",
    ):
        assert getattr(example, section) == getattr(default, section), section
    assert example.data_dir == ROOT / ".airside"


def test_the_example_mentions_every_setting() -> None:
    tree = yaml.safe_load(EXAMPLE.read_text())
    tree["agents"]["NAME"] = tree["agents"]["hello"] | {
        "budget": tree["budgets"]["run"],
        "progress": tree["budgets"]["progress"],
    }
    tree["providers"]["NAME"], tree["models"]["NAME"] = tree["providers"]["house"], tree["models"]["small"]
    for nodes in ("business_units", "workflows", "customers"):
        tree["budgets"][nodes]["NAME"] = tree["budgets"]["tenant"]
    tree["tools"]["local"]["NAME"] = LocalToolSettings().model_dump()
    tree["tools"]["mcp"]["NAME"] = McpServerSettings(url="http://x").model_dump()
    tree["tools"]["openapi"]["NAME"] = OpenApiSettings(document=Path("x.yaml")).model_dump()
    tree["routing"]["models"]["NAME"] = RoutedModel(tier="small").model_dump()
    tree["fallbacks"]["rules"] = FallbackRule(pattern="x", answer="y").model_dump()
    tree["egress"]["grants"]["NAME"] = EgressGrantSettings().model_dump()
    tree["handoffs"]["NAME"] = HandoffSettings(agent="x").model_dump()
    tree["secrets"]["stores"]["NAME"] = StoreSettings(kind="env").model_dump()
    tree["secrets"]["grants"] = GrantSettings(secret="secret://a/b", tools=["x"]).model_dump()
    tree["guards"]["rules"] = GuardRule(mode="flag").model_dump()
    tree["guards"]["restore"] = RestoreRule(tools=["x"]).model_dump()
    check = {"name": "x", "require": {"path": "x", "is": 1}}
    tree["guards"]["checks"] = CheckSettings.model_validate(check).model_dump()
    tree["guards"]["hooks"] = HookSettings(name="x", guard="toxicity", url="http://x").model_dump()
    tree["guards"]["judges"] = JudgeSettings(name="x", model="small").model_dump()
    tree["approvals"]["targets"]["NAME"] = NotifyTarget(url=SecretStr("json://x")).model_dump()
    tree["approvals"]["escalation"] = EscalationStep().model_dump()
    tree["approvals"]["two_person"] = TwoPerson().model_dump()
    tree["approvals"]["confidence"]["agents"]["NAME"] = ConfidenceSource().model_dump()
    tree["provenance"]["anchors"] = AnchorSettings(tool="t", keys=["k"], values=["v"], arguments=["t.v"]).model_dump()
    tree["provenance"]["relations"] = RelationSettings(
        tool="t", owner="o", principal="p", values=["v"], arguments=["t.v"]
    ).model_dump()
    tree["provenance"]["listings"] = ListingSettings(tool="t", field="f", arguments=["t.v"]).model_dump()
    missing = []
    for name in setting_names(Settings):
        node: Any = tree
        for part in name.split("."):
            if not isinstance(node, dict) or part not in node:
                missing.append(name)
                break
            node = node[part]
    assert missing == []


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    assert [name for name in setting_names(Settings) if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("budgets: {run: {usd: -1}}", "budgets.run.usd: input should be greater than or equal to 0"),
        ("serverr: {}", "serverr: no setting of this name exists"),
        ("server: {port: 99999}", "server.port: input should be less than or equal to 65535"),
        ("log_level: info\nlog_level: debug", "line 2: `log_level` stands twice"),
        ("server: [", "line 1: not acceptable YAML"),
        ("- 1", "must hold settings by name"),
        ("agents: {a: {adapter: command}}", "agents.a: the adapter `command` needs `command`"),
        ("agents: {a: {entry: module}}", "agents.a: the adapter `plain` needs `entry: package.module:name`"),
        ("models: {m: {provider: nobody}}", "models.m.provider: there is no provider `nobody`"),
        ("model_provider: nobody", "model_provider: there is no provider `nobody`; known: scripted"),
        ("time_zone: Mars/Olympus", "time_zone: `Mars/Olympus`"),
        ("server: {host: 0.0.0.0}", "server.host: 0.0.0.0 is not loopback"),
        ("database: {url: 'mysql://x'}", "database.url: must be"),
        ("runs: {lease_renew_s: 15}", "runs.lease_expire_s: must be at least twice"),
    ],
)
def test_refusals_name_the_key_and_what_is_allowed(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(tmp_path, text)


def test_a_refusal_never_repeats_a_secret(tmp_path: Path) -> None:
    message = refusal(tmp_path, "providers: {p: {kind: openai_compatible, api_key: [sk-very-secret]}}")
    assert "providers.p.api_key" in message
    assert "sk-very-secret" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AirsideError, match="No such file"):
        load(tmp_path / "nothing.yaml", {})


def test_environment_beats_file_and_aliases_are_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "budgets: {run: {usd: 2}}\nlog_level: error")
    monkeypatch.setenv("AIRSIDE_BUDGETS__RUN__USD", "0.25")
    monkeypatch.setenv("MAX_COST_PER_QUERY", "0.10")
    settings = load(file, {})
    assert str(settings.budgets.run.usd) == "0.25"
    assert str(settings.max_cost_per_query) == "0.10"
    assert settings.log_level == "error"


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    file = written(
        tmp_path, "policy: {file: rules.yaml}\nagents: {a: {entry: 'm:f', path: [code]}}\ntools: {path: [tools]}"
    )
    settings = load(file, {})
    assert settings.policy.file == tmp_path / "rules.yaml"
    assert settings.agents["a"].path == [tmp_path / "code"]
    assert settings.tools.path == [tmp_path / "tools"]
    assert settings.data_dir == tmp_path / ".airside"


def test_openai_exists_once_a_key_is_present(tmp_path: Path) -> None:
    file = written(tmp_path, "model_provider: openai")
    settings = load(file, {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    provider = settings.providers["openai"]
    assert (provider.kind, provider.base_url) == ("openai_compatible", "http://127.0.0.1:1/v1")
    assert provider.api_key is not None
    assert "sk-1" not in repr(settings)
    assert load(file, {"OPENAI_API_KEY_FILE": "key.txt"}).providers["openai"].api_key_file == Path("key.txt").absolute()
    with pytest.raises(AirsideError, match="no provider `openai`"):
        load(file, {})


def test_the_file_is_found_by_argument_then_variable_then_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_file(None, {}) is None
    written(tmp_path, "")
    assert find_file(None, {}) == Path("airside.yaml")
    assert find_file(None, {"AIRSIDE_CONFIG": "/x.yaml"}) == Path("/x.yaml")
    assert find_file(Path("/y.yaml"), {"AIRSIDE_CONFIG": "/x.yaml"}) == Path("/y.yaml")


def test_a_bare_off_is_a_mode_though_yaml_reads_it_as_false(tmp_path: Path) -> None:
    """`mode: off` is what the documentation says and what people write."""
    file = tmp_path / "airside.yaml"
    file.write_text(
        "guards: {modes: {injection: off}, rules: [{guards: [personal], mode: off}], spotlight: {mode: off},"
        " checks: [{name: c, mode: off, require: {path: a, exists: true}}]}\n"
        "cache: {mode: off, prompt: off}\ncontext: {mode: off}\n"
    )
    settings = load(file, {})
    guards = settings.guards
    assert guards.modes["injection"] == "off"
    assert {guards.rules[0].mode, guards.spotlight.mode, guards.checks[0].mode} == {"off"}
    assert {settings.cache.mode, settings.cache.prompt, settings.context.mode} == {"off"}


def test_a_mode_for_one_guard_leaves_secrets_redacted(tmp_path: Path) -> None:
    file = tmp_path / "airside.yaml"
    file.write_text("guards: {modes: {personal: tokenise}}\n")
    assert load(file, {}).guards.modes == {"secrets": "redact", "refusal": "observe", "personal": "tokenise"}


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ('{links: {hosts: ["https://docs.example.com/a"]}}', "guards.links.hosts.0"),
        ('{links: {hosts: ["ex*ample.com"]}}', "guards.links.hosts.0"),
        ("{checks: [{name: c, require: {all: []}}]}", "guards.checks.0.require.all"),
        ('{checks: [{name: c, require: {path: a, matches: "(["}}]}', "not an expression of RE2: missing ]: ["),
        ("{modes: {injection: yes}}", "guards.modes.injection"),
    ],
)
def test_settings_of_guards_that_would_never_do_anything_are_refused(tmp_path: Path, section: str, named: str) -> None:
    """A host that no link has and a rule that asks for nothing look like protection and are none."""
    file = tmp_path / "airside.yaml"
    file.write_text(f"guards: {section}\n")
    with pytest.raises(AirsideError) as refused:
        load(file, {})
    assert refused.value.code is Code.MISCONFIGURED
    assert named in refused.value.message
