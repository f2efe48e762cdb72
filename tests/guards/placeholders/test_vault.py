"""The vault of placeholders: one name for a value of a run, everywhere; nothing for anybody else."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from airside.config.settings import DatabaseSettings
from airside.core.errors import AirsideError, Code
from airside.core.ports import Query, Transaction
from airside.guards.placeholders.handing_on import handed_on
from airside.guards.placeholders.vault import VALUE_CHARS_MAX, Vault
from airside.guards.ports import Value
from airside.journal.backend import Backend, connect
from airside.journal.sealing import DatabaseKeyring
from tests.journal.world import who

KEY = b"k" * 32
ANNA, BOB, MAIL = Value("PERSON", "Anna Berg"), Value("PERSON", "Bob"), Value("EMAIL", "anna@berg.test")


def vault(backend: Backend, values_max: int = 100) -> Vault:
    """A vault as another process has it: nothing remembered."""
    return Vault(backend.database, DatabaseKeyring(backend.database, KEY), values_max=values_max)


async def test_a_value_has_one_name_in_its_run_in_every_process_and_attempt(backend: Backend) -> None:
    first = await vault(backend).names(who(), [ANNA, MAIL, BOB, ANNA])
    assert first == {ANNA: "<PERSON_1>", MAIL: "<EMAIL_1>", BOB: "<PERSON_2>"}
    other = vault(backend)
    assert await other.names(who(attempt=2), [BOB, Value("PERSON", "Cy"), ANNA]) == {
        BOB: "<PERSON_2>",
        Value("PERSON", "Cy"): "<PERSON_3>",
        ANNA: "<PERSON_1>",
    }
    assert await vault(backend).values(who(), "to <PERSON_1>, <EMAIL_1>") == {"<PERSON_1>": ANNA, "<EMAIL_1>": MAIL}


async def test_what_another_process_has_named_since_is_found(backend: Backend) -> None:
    here, there = vault(backend), vault(backend)
    await here.names(who(), [ANNA])
    assert await there.values(who(), "<PERSON_1>")
    await here.names(who(), [BOB])
    assert await there.values(who(), "<PERSON_2>") == {"<PERSON_2>": BOB}


async def test_names_of_another_run_tenant_or_nobody_are_only_text(backend: Backend) -> None:
    here = vault(backend)
    await here.names(who(), [ANNA])
    assert await here.values(who("run_2", subject="sub"), "<PERSON_1>") == {}
    assert await here.values(who(tenant_id="other"), "<PERSON_1>") == {}
    assert await here.values(who(), "<PERSON_2> <PERSON_01> <person_1> <PERSON_1 > <EMAIL_1>") == {}
    assert (await here.names(who("run_2"), [BOB]))[BOB] == "<PERSON_1>"  # of its own
    assert await here.values(who(), "<PERSON_1>") == {"<PERSON_1>": ANNA}


async def test_beyond_the_limit_a_value_gets_no_name_and_known_ones_keep_theirs(backend: Backend) -> None:
    small = vault(backend, values_max=2)
    assert await small.names(who(), [ANNA, BOB, MAIL]) == {ANNA: "<PERSON_1>", BOB: "<PERSON_2>"}
    assert await vault(backend, values_max=2).names(who(), [MAIL, BOB]) == {BOB: "<PERSON_2>"}
    odd = [Value("lower.case", "x"), Value("EMAIL", "x" * (VALUE_CHARS_MAX + 1)), Value("EMAIL", "")]
    assert await vault(backend).names(who(), odd) == {}


async def test_any_text_comes_back_as_it_was(backend: Backend) -> None:
    texts = ["\ud800 alone", "a\x00b", "<PERSON_1>", "ß\u202e'\"\\", "𝔘" * 500]
    values = [Value("PERSON", text) for text in texts]
    names = await vault(backend).names(who(), values)
    found = await vault(backend).values(who(), " ".join(names.values()))
    assert [found[names[value]].text for value in values] == texts


async def test_an_erased_subject_has_no_values_any_more(backend: Backend) -> None:
    keyring = DatabaseKeyring(backend.database, KEY)
    here = Vault(backend.database, keyring, values_max=10)
    await here.names(who(), [ANNA])

    async def destroy(tx: Transaction) -> None:
        await tx.execute(Query("test", "UPDATE subject_keys SET wrapped = :gone"), gone=b"")

    await backend.database.transact(destroy)
    keyring.forget("default", "sub")
    assert await here.values(who(), "<PERSON_1>") == {}
    with pytest.raises(AirsideError) as refused:
        await here.names(who(), [ANNA])
    assert refused.value.code is Code.NOT_FOUND


async def test_what_is_handed_on_is_the_takers_own_and_holds_no_more_than_was_said(backend: Backend) -> None:
    here, parent, sub = vault(backend), who(), who("run_2")
    await here.names(parent, [BOB, ANNA, MAIL])
    await here.names(sub, [Value("PERSON", "the clerk")])
    task = await handed_on(here, {"do": ["write to <PERSON_2>", "and <PERSON_9>"]}, parent, sub)
    assert task == {"do": ["write to <PERSON_2>", "and <PERSON_9>"]}
    assert (await here.values(sub, "<PERSON_2>"))["<PERSON_2>"] == ANNA
    assert await here.values(sub, "<EMAIL_1>") == {}
    assert await handed_on(here, "<PERSON_1> told <PERSON_2>", sub, parent) == "<PERSON_3> told <PERSON_2>"
    assert (await here.values(parent, "<PERSON_3>"))["<PERSON_3>"].text == "the clerk"


_OTHER_PROCESS = """
import asyncio, json, sys
from airside.config.settings import DatabaseSettings
from airside.guards.placeholders.vault import Vault
from airside.guards.ports import Value
from airside.journal.backend import connect
from airside.journal.sealing import DatabaseKeyring
from tests.journal.world import who

async def main(url, executor, first):
    backend = await connect(url, settings=DatabaseSettings(), executor_id=executor)
    vault = Vault(backend.database, DatabaseKeyring(backend.database, b"k" * 32), values_max=1000)
    numbers = list(range(40)) if first == "0" else list(range(39, -1, -1))
    print("ready", flush=True)
    sys.stdin.readline()
    found = {}
    names = [vault.names(who(), [Value("PERSON", f"p{n}")]) for n in numbers]
    for one in await asyncio.gather(*names):
        found |= {value.text: name for value, name in one.items()}
    print(json.dumps(found), flush=True)
    await backend.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.postgres
async def test_two_processes_that_name_the_same_values_at_once_agree(postgres_url: str) -> None:
    backend = await connect(postgres_url, settings=DatabaseSettings(), executor_id="gw-0")
    await vault(backend).names(who(), [])
    await backend.close()
    root = Path(__file__).parents[3]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", _OTHER_PROCESS, postgres_url, f"gw-{number}", str(number)),
            cwd=root,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for number in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*[process.communicate(b"go\n") for process in processes])
    one, other = [json.loads(out) for out, _ in answers]
    assert one == other
    assert set(one.values()) == {f"<PERSON_{number}>" for number in range(1, 41)}


async def test_many_at_once_in_one_process_get_one_name_each(backend: Backend) -> None:
    vaults = [vault(backend) for _ in range(4)]
    many = [Value("EMAIL", f"m{number}@x.test") for number in range(10)]
    answers = await asyncio.gather(*[one.names(who(), many[at:] + many[:at]) for at, one in enumerate(vaults)])
    assert all(answer == answers[0] for answer in answers)
    assert set(answers[0].values()) == {f"<EMAIL_{number}>" for number in range(1, 11)}
