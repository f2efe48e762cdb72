"""Binaries in results: kept apart, sealed like all content, and named by their content id in what the agent reads."""

from airside.core.call import Call
from airside.core.ports import Database, Keyring, Sealed, SubjectKey, Transaction


class Binaries:
    """Collects the binaries of one result."""

    def __init__(self, key: SubjectKey) -> None:
        self._key = key
        self._kept: list[Sealed] = []

    @staticmethod
    async def of(call: Call, keyring: Keyring) -> "Binaries":
        """Return an empty collection under the key of the call's subject; raises `not_found` once that is erased."""
        return Binaries(await keyring.subject(call.who.tenant_id, call.who.subject))

    def keep(self, binary: bytes) -> str:
        """Take a binary and return its content id."""
        self._kept.append(self._key.seal(binary))
        return self._kept[-1].content_id.hex()

    async def store(self, database: Database) -> None:
        """Make what was collected durable."""
        kept = self._kept
        if not kept:
            return

        async def write(tx: Transaction) -> None:
            await tx.store(*kept)

        await database.transact(write)
