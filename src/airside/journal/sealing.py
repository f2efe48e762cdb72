"""Content sealing: one data key per subject, wrapped by the installation's master key.

A content is named by HMAC-SHA256 under the subject's name key, so that equal contents of one subject are stored once
and nobody without the key can test a guess; destroying the data key erases the subject. It is stored as
`version ‖ nonce ‖ AES-256-GCM(zstd(plaintext))`, bound to tenant, subject and name as associated data (NIST SP
800-38D, random 96-bit nonces: far below 2^32 contents per subject). Keys are derived by HKDF-SHA256 (RFC 5869).
"""

import hashlib
import hmac
import os
from collections import OrderedDict
from threading import local

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from airside.core.errors import AirsideError, Code
from airside.core.ports import Body, Database, Sealed, SubjectKey, Transaction
from airside.journal import queries

KEY_BYTES = 32
NONCE_BYTES = 12
FORMAT = b"\x01"
NAME_DOMAIN = b"airside content v1\x00"
PLAINTEXT_BYTES_MAX = 1_073_741_824
SUBJECTS_MAX = 10_000  # keys kept in memory
PROOF = "master-key"  # the subject whose key shows that the master key fits
_SQL = queries.load("airside.journal", "sealing.sql")


class SubjectSealer:
    """Implements core.ports.SubjectKey."""

    def __init__(self, tenant_id: str, subject: str, data_key: bytes) -> None:
        self._tenant_id = tenant_id
        self._subject = subject
        self._name = hmac.new(_derived(data_key, b"name"), NAME_DOMAIN, hashlib.sha256)
        self._cipher = AESGCM(_derived(data_key, b"seal"))
        self._bound_to = _bound_to(tenant_id, subject)

    def name(self, plaintext: bytes) -> bytes:
        """Return the content id (32 bytes)."""
        digest = self._name.copy()
        digest.update(plaintext)
        return digest.digest()

    def seal(self, plaintext: bytes, content_id: bytes = b"") -> Sealed:
        """Compress and encrypt."""
        content_id = content_id or self.name(plaintext)
        nonce = os.urandom(NONCE_BYTES)
        secret = self._cipher.encrypt(nonce, _zstd.compressor.compress(plaintext), self._bound_to + content_id)
        return Sealed(self._tenant_id, self._subject, content_id, FORMAT + nonce + secret)

    def open(self, content_id: bytes, blob: bytes) -> bytes:
        """Decrypt, decompress and check the name; raises AirsideError `journal_unavailable` if anything was changed."""
        nonce, secret = blob[1 : 1 + NONCE_BYTES], blob[1 + NONCE_BYTES :]
        try:
            if blob[:1] != FORMAT:
                raise ValueError("unknown format")
            packed = self._cipher.decrypt(nonce, secret, self._bound_to + content_id)
            plaintext = _zstd.decompressor.decompress(packed, max_output_size=PLAINTEXT_BYTES_MAX)
        except (InvalidTag, ValueError, zstandard.ZstdError):
            raise _damaged(content_id) from None
        if not hmac.compare_digest(self.name(plaintext), content_id):
            raise _damaged(content_id)
        return plaintext


class DatabaseKeyring:
    """Implements core.ports.Keyring: data keys in the table subject_keys, wrapped under the master key."""

    def __init__(self, database: Database, master_key: bytes, *, subjects_max: int = SUBJECTS_MAX) -> None:
        self._database = database
        self._wrapping = AESGCM(_derived(master_key, b"wrap"))
        self._link_key = _derived(master_key, b"links")
        self._subjects_max = subjects_max
        self._known: OrderedDict[tuple[str, str], SubjectKey] = OrderedDict()

    async def subject(self, tenant_id: str, subject: str) -> SubjectKey:
        """Return the key of a subject, made at first use.

        Raises AirsideError `not_found` if it was destroyed, `misconfigured` if the master key is not the one it was
        wrapped with.
        """
        found = self._known.get((tenant_id, subject))
        if found:
            self._known.move_to_end((tenant_id, subject))
            return found
        wrapped = await self._wrapped(tenant_id, subject)
        if not wrapped:
            raise AirsideError(Code.NOT_FOUND, "the key of this subject was destroyed: its content is erased")
        sealer = SubjectSealer(tenant_id, subject, self._unwrap(tenant_id, subject, wrapped))
        self.keep(tenant_id, subject, sealer)
        return sealer

    @property
    def link_key(self) -> bytes:
        """The key (32 bytes) that signs reviewers' links."""
        return self._link_key

    async def prove(self, tenant_id: str) -> None:
        """Raise AirsideError `misconfigured` unless the master key is the one that this database was begun with.

        A key of its own stands for that from the first start on; else a lost master key would be found out by the
        first run that reads what an older one wrote.
        """
        await self.subject(tenant_id, PROOF)

    def fresh(self, tenant_id: str, subject: str) -> tuple[SubjectKey, Body[None]]:
        """Return a key for a subject that nobody else can know yet, and what writes it in the caller's transaction.

        A run that stands for itself is such a subject until its row is there: one commit serves both.
        """
        data_key = os.urandom(KEY_BYTES)
        wrapped = self._wrap(tenant_id, subject, data_key)

        async def add(tx: Transaction) -> None:
            await tx.execute(_SQL["add"], tenant_id=tenant_id, subject=subject, wrapped=wrapped, created_us=tx.now_us)

        return SubjectSealer(tenant_id, subject, data_key), add

    def keep(self, tenant_id: str, subject: str, key: SubjectKey) -> None:
        """Remember a key, whose row must be committed."""
        self._known[tenant_id, subject] = key
        while len(self._known) > self._subjects_max:
            self._known.popitem(last=False)

    def forget(self, tenant_id: str, subject: str) -> None:
        """Drop a key from memory, after it was destroyed."""
        self._known.pop((tenant_id, subject), None)

    async def _wrapped(self, tenant_id: str, subject: str) -> bytes:
        row = await self._database.read(lambda tx: tx.one(_SQL["wrapped"], tenant_id=tenant_id, subject=subject))
        if row is None:
            wrapped = self._wrap(tenant_id, subject, os.urandom(KEY_BYTES))

            async def add(tx: Transaction) -> bytes:
                # Another process may have been faster; then its key is the subject's.
                await tx.execute(
                    _SQL["add"], tenant_id=tenant_id, subject=subject, wrapped=wrapped, created_us=tx.now_us
                )
                stored = await tx.one(_SQL["wrapped"], tenant_id=tenant_id, subject=subject)
                assert stored is not None, "a row that was just added is there"
                return bytes(stored["wrapped"])

            return await self._database.transact(add)
        return bytes(row["wrapped"])

    def _wrap(self, tenant_id: str, subject: str, data_key: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return FORMAT + nonce + self._wrapping.encrypt(nonce, data_key, _bound_to(tenant_id, subject))

    def _unwrap(self, tenant_id: str, subject: str, wrapped: bytes) -> bytes:
        try:
            if wrapped[:1] != FORMAT:
                raise ValueError("unknown format")
            nonce, secret = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]
            return self._wrapping.decrypt(nonce, secret, _bound_to(tenant_id, subject))
        except (InvalidTag, ValueError):
            raise AirsideError(
                Code.MISCONFIGURED,
                "the master key does not fit this database: a subject's key cannot be unwrapped",
                advice="Point master_key_file at the key this database was made with.",
            ) from None


class _Zstd(local):
    """Contexts are kept, because making one costs more than using it, one per thread, because they are not shared."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=3, write_checksum=False)
        self.decompressor = zstandard.ZstdDecompressor()


_zstd = _Zstd()


def _bound_to(tenant_id: str, subject: str) -> bytes:
    """Return tenant and subject as bytes that no other pair has."""
    tenant = tenant_id.encode()
    return len(tenant).to_bytes(4) + tenant + subject.encode() + b"\x00"


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"airside v1 " + purpose).derive(key)


def _damaged(content_id: bytes) -> AirsideError:
    return AirsideError(Code.JOURNAL_UNAVAILABLE, f"content {content_id.hex()[:16]}… was changed or damaged")
