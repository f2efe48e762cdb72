"""What an attempt sees of the machine, of its worker and of other attempts: as little as its isolation promises."""

import ast
import asyncio
import json
import sys
import tempfile
from pathlib import Path

import pytest

from airside.config.settings import AgentSettings
from airside.runs.isolation.port import EndKind

from .conftest import AGENTS


def value(end):
    assert end.kind is EndKind.RETURNED, end.message
    return json.loads(end.result)


@pytest.fixture
def spaces(launcher):
    """Skip unless the launcher makes namespaces."""
    if not launcher.spaces:
        pytest.skip("process isolation contains faults only")


async def test_no_secret_of_the_worker_is_in_the_environment(run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-provider-key")
    monkeypatch.setenv("AIRSIDE_DATABASE__URL", "postgresql://u:pw@h/db")
    monkeypatch.setenv("GRANTED", "yes")
    agent = AgentSettings(entry="trials:look", path=[AGENTS], env_pass=["GRANTED"])
    seen = value(await run("look", agent=agent))
    assert "sk-the-provider-key" not in json.dumps(seen)
    assert "postgresql://" not in json.dumps(seen)
    assert seen["environment"]["GRANTED"] == "yes"
    assert seen["environment"]["OPENAI_API_KEY"] == "rt_the-token-of-this-run"
    assert seen["environment"]["OPENAI_BASE_URL"].endswith("/v1")
    assert seen["environment"]["AIRSIDE_RUN_ID"] == "run_1"
    assert seen["environment"]["TZ"] == "UTC"


async def test_the_process_is_fenced_in(run):
    seen = value(await run("look"))
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert seen["session"]
    assert seen["umask"] == 0o077
    assert status["NoNewPrivs"] == "1"
    assert len(seen["descriptors"]) < 16
    assert not Path(seen["folder"]).exists() or seen["folder"] == "/tmp/attempt"


@pytest.mark.usefixtures("spaces")
async def test_a_namespace_has_no_capability_no_other_process_and_an_unprivileged_user(run):
    seen = value(await run("look"))
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0
    assert seen["uid"] == 1000
    assert seen["processes"] == 2


@pytest.mark.usefixtures("spaces")
async def test_a_namespace_hides_the_data_folder_files_and_homes(run, gateway, tmp_path):
    folder = Path(gateway.socket).parent
    (folder / "master.key").write_text("very secret")
    hidden = AGENTS / "broken.py"
    paths = [str(folder), str(folder / "master.key"), str(hidden), str(AGENTS / "trials.py"), "/etc/shadow"]
    seen = value(await run("read", paths, hidden_paths=(str(folder), str(hidden))))
    assert "very secret" not in json.dumps(seen)
    assert seen[str(hidden)] == ""
    assert "Agents that try" in seen[str(AGENTS / "trials.py")]
    assert seen["/etc/shadow"] in {"PermissionError", "FileNotFoundError"}
    home = str(Path.home())
    seen = value(await run("read", [home, "/run", "/tmp"]))
    assert seen["/run"] == "[]"
    imported_from = {Path(path).parts[2] for path in [*sys.path, sys.prefix] if path.startswith("/tmp/")}
    assert set(ast.literal_eval(seen["/tmp"])) - imported_from == {"attempt"}


@pytest.mark.usefixtures("spaces")
async def test_a_program_is_reached_through_links_that_lie_in_masked_places(launcher, spec):
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        for folder in (first, second):
            Path(folder).chmod(0o755)
        Path(second, "true").symlink_to("/bin/true")
        Path(first, "true").symlink_to(Path(second, "true"))
        agent = AgentSettings(adapter="command", command=[str(Path(first, "true"))])
        end = await (await launcher.start(spec("", agent=agent))).wait()
        assert end.kind is EndKind.RETURNED, end.message


@pytest.mark.usefixtures("spaces")
async def test_a_namespace_is_not_left_by_another_namespace_a_keyring_or_a_strange_socket(run):
    seen = value(await run("escape"))
    assert seen == {
        "unshare a user namespace": "EPERM",
        "clone into a user namespace": "EPERM",
        "the session's keyring": "EPERM",
        "io_uring": "EPERM",
        "vsock": "EAFNOSUPPORT",
        "kernel cryptography": "EAFNOSUPPORT",
        "unix": "done",
        "internet": "done",
        "a program": 0,
    }


@pytest.mark.usefixtures("spaces")
async def test_a_namespace_can_write_to_nothing_but_its_own_folder(run, tmp_path):
    tmp_path.chmod(0o777)
    paths = ["/written", "/etc/written", str(AGENTS / "written"), "/dev/shm/written", "own", "/var/tmp/written"]
    seen = value(await run("write", paths))
    assert [seen[path] == "written" for path in paths] == [False, False, False, True, True, True]
    assert not Path("/dev/shm/written").exists()


@pytest.mark.usefixtures("spaces")
async def test_a_namespace_reaches_the_gateway_and_nothing_else(run, gateway):
    other = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    addresses = [["127.0.0.1", gateway.port], ["127.0.0.1", port], ["1.1.1.1", 443], gateway.socket]
    hidden = (str(Path(gateway.socket).parent),)
    seen = value(await run("connect", addresses, hidden_paths=hidden))
    other.close()
    assert seen[0] == "connected"
    assert "connected" not in seen[1:]


@pytest.mark.usefixtures("spaces")
async def test_a_namespace_reaches_gateways_that_are_not_on_this_machine_by_tcp(run, gateway, spec):
    elsewhere = f"http://127.1:{gateway.port}"  # a name that nobody takes for this machine's own loopback
    end = await run("ask", "who are you?", gateway_url=elsewhere, gateway_socket="/nowhere/gateway.sock")
    assert end.kind is EndKind.RETURNED, end.message


async def test_the_gateway_is_reached_with_the_run_token(run, gateway):
    end = await run("ask", "who are you?")
    assert value(end) == "I am the gateway"
    assert gateway.tokens == ["bearer rt_the-token-of-this-run"]


async def test_concurrent_attempts_share_neither_memory_nor_folder(run):
    ends = await asyncio.gather(*[run("count", number) for number in range(6)])
    seen = [value(end) for end in ends]
    assert [one["seen"] for one in seen] == [1] * 6
    assert [one["there"] for one in seen] == [[]] * 6
    assert [one["mine"] for one in seen] == [str(number) for number in range(6)]
    assert not any(Path(one["folder"]).exists() for one in seen)


async def test_a_file_bomb_ends_at_the_limit(run):
    assert 40 <= value(await run("file_bomb")) < 64


async def test_a_memory_bomb_fails_its_attempt_only(run):
    end = await run("memory_bomb", memory_bytes_max=512 << 20)
    assert end.kind in {EndKind.RAISED, EndKind.CRASHED}
    assert "MemoryError" in end.message or "killed" in end.message
    assert value(await run("count", 1))["seen"] == 1


async def test_a_fork_bomb_is_contained(run, launcher):
    end = await run("fork_bomb")
    if launcher.spaces:
        assert value(end)["made"] < 40
    else:
        assert end.kind is EndKind.RAISED
        assert "processes; at most 40" in end.message
