"""The services of the review queue, put together."""

from dataclasses import dataclass

from airside.config.settings import Settings
from airside.core.clock import Clock
from airside.core.ports import Database, Keyring
from airside.runs.approvals import RunApprovals
from airside.runs.reviewing.confidence import Calibrations
from airside.runs.reviewing.escalation import Escalation
from airside.runs.reviewing.evidence import Evidence
from airside.runs.reviewing.export import Export
from airside.runs.reviewing.intake import Intake
from airside.runs.reviewing.links import Links
from airside.runs.reviewing.notify import Notifier
from airside.runs.reviewing.remarks import Remarks
from airside.runs.reviewing.seeds import Seeds
from airside.runs.reviewing.statistics import Statistics
from airside.runs.reviews import Reviews
from airside.runs.signals import Signals


@dataclass(frozen=True)
class Reviewing:
    """Everything around approvals. `approvals` is what the pipeline sees, `calibrations` a witness of it."""

    approvals: RunApprovals
    reviews: Reviews
    evidence: Evidence
    remarks: Remarks
    calibrations: Calibrations
    seeds: Seeds
    links: Links
    notifier: Notifier
    escalation: Escalation
    statistics: Statistics
    export: Export

    @classmethod
    def build(
        cls, settings: Settings, database: Database, keyring: Keyring, clock: Clock, signals: Signals
    ) -> "Reviewing":
        """Put them together; raises `misconfigured` for a file of bad proposals that cannot be read."""
        own = settings.approvals
        calibrations = Calibrations(database, clock, own.confidence)
        seeds = Seeds(database, keyring, own, settings.policy.approval_decide_by_s)
        links = Links(keyring.link_key)
        return cls(
            approvals=RunApprovals(database, keyring, settings.policy, signals, Intake(own, calibrations), seeds),
            reviews=Reviews(database, keyring, settings.policy, own, signals),
            evidence=Evidence(database, keyring),
            remarks=Remarks(database, keyring, own),
            calibrations=calibrations,
            seeds=seeds,
            links=links,
            notifier=Notifier(database, own, links),
            escalation=Escalation(database, own),
            statistics=Statistics(database),
            export=Export(database, keyring),
        )

    async def sweep(self) -> None:
        """Do one pass over what is due."""
        await self.escalation.sweep()

    async def tell(self) -> None:
        """Send what reviewers are to be told."""
        await self.notifier.send_due()
