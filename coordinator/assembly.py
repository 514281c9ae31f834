"""The coordinator's parts, put together once and handed to every request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from prometheus_client import CollectorRegistry

from common.metrics.exposition import process_registry
from common.objects.store import Objects, open_objects
from common.out_folder import OutFolder
from common.settings.given import Given
from common.settings.night import NightSettings
from coordinator.alerts import Alerts
from coordinator.audit import Audit
from coordinator.blobs.uploads import Uploads, fetch_blob
from coordinator.configuration import Configuration
from coordinator.credentials.doorkeeper import Doorkeeper
from coordinator.credentials.proxies import Proxies
from coordinator.credentials.throttle import Throttle
from coordinator.credentials.tokens import Tokens
from coordinator.housekeeping.digest import Digest
from coordinator.housekeeping.early_end import EarlyEnd
from coordinator.housekeeping.election import Election
from coordinator.housekeeping.expiry import Expiry
from coordinator.housekeeping.heartbeat import Heartbeat
from coordinator.housekeeping.leader import Leader, SoleProcess
from coordinator.housekeeping.leftovers import Leftovers
from coordinator.housekeeping.loop import Loop
from coordinator.housekeeping.morning_report import MorningReport
from coordinator.housekeeping.parallelism import Parallelism
from coordinator.housekeeping.progress import ProgressFile
from coordinator.housekeeping.publication import Publication
from coordinator.housekeeping.pulse import Pulse
from coordinator.housekeeping.reload import Reload
from coordinator.housekeeping.roomless import Roomless
from coordinator.housekeeping.schedule import Schedule
from coordinator.housekeeping.settlement import Settlement
from coordinator.housekeeping.silence import Silence
from coordinator.metrics.collector import NightCollector
from coordinator.metrics.process import Measures
from coordinator.queue.queue import Queue
from coordinator.queue.results import made_again
from coordinator.report.reports import Reports
from coordinator.runs.runs import Runs
from coordinator.runs.steering import Steering
from coordinator.scrapes import Scrapes
from coordinator.store.blobs import Artifacts
from coordinator.store.database import Database
from coordinator.store.seats import SOLE, Seat
from coordinator.version import program_version
from coordinator.views.champions import ChampionListing
from coordinator.views.failures import FailureListing
from coordinator.views.forecast import Forecast
from coordinator.views.jobs import JobListing
from coordinator.views.ledger import Ledger
from coordinator.views.overview import Overview
from coordinator.views.roster import Roster
from coordinator.views.runs import RunListing
from coordinator.views.status import Status
from coordinator.views.vitals import Vitals


@dataclass(frozen=True)
class Parts:
    """All parts of one coordinator.

    `loopback` says that only this machine can reach it, `trusted_hosts` are its names on a network that is
    trusted like the loopback: on both, reading is open, and a request must name one of them.
    `configuration` holds the settings, which may change while the parts are at work.
    """

    database: Database
    queue: Queue
    runs: Runs
    steering: Steering
    audit: Audit
    run_listing: RunListing
    job_listing: JobListing
    champion_listing: ChampionListing
    status: Status
    overview: Overview
    failures: FailureListing
    roster: Roster
    vitals: Vitals
    reports: Reports
    alerts: Alerts
    scrapes: Scrapes
    housekeeping: Loop
    artifacts: Artifacts
    measures: Measures
    registry: CollectorRegistry
    doorkeeper: Doorkeeper
    proxies: Proxies
    loopback: bool
    configuration: Configuration
    out: OutFolder
    uploads: Uploads | None = None
    trusted_hosts: tuple[str, ...] = ()

    @property
    def settings(self) -> NightSettings:
        """The settings in force."""
        return self.configuration.settings

    @property
    def reading_is_open(self) -> bool:
        """Whether what is only read needs no token."""
        return self.loopback or bool(self.trusted_hosts)


def assemble(
    database: Database,
    settings: NightSettings,
    out: Path,
    tokens: Tokens,
    loopback: bool,
    random: Random,
    trusted_hosts: tuple[str, ...] = (),
    expect_scrapes: bool = False,
    configuration: Configuration | None = None,
    alertmanager: str = "",
    seat: Seat = SOLE,
) -> Parts:
    """Put the parts together over a database whose schema is up to date.

    Without a `configuration` the settings never change. `alertmanager` is the address that digests of nights
    go to; empty: to nobody. `seat` is this process's place among those that share the database.
    """
    configuration = configuration or Configuration(Given(settings))
    scrapes = Scrapes(database.clock, expect_scrapes)
    alerts = Alerts(database, scrapes)
    queue = Queue(database, settings, random)
    ledger = Ledger(database)
    forecast = Forecast(ledger, settings)
    objects = open_objects(settings.artifacts) if settings.artifacts else None
    artifacts = Artifacts(OutFolder(out).blobs, partial(_blob_again, database, objects))
    uploads = None if objects is None else Uploads(objects, OutFolder(out), artifacts, database.clock)
    vitals = Vitals(out)
    reload = Reload(database, configuration, seat.instance)
    reports = Reports(database, settings, OutFolder(out))
    leader = SoleProcess() if database.is_sqlite else Election(database, seat)
    leading = database.fenced(leader.fence)
    leaders_queue = Queue(leading, settings, random)
    housekeeping = housekeeping_of(
        database,
        leaders_queue,
        settings,
        OutFolder(out),
        artifacts,
        forecast,
        Alerts(leading, scrapes),
        vitals,
        reload,
        reports,
        alertmanager,
        leader,
        seat,
        uploads,
    )
    registry = process_registry()
    measures = Measures(registry)
    database.took = measures.transaction_took
    measures.leads_while(seat.instance, lambda: leader.leadership() is not None)
    collector = NightCollector(ledger, settings, out, forecast, program_version(), uploads)
    registry.register(collector)

    def troubles() -> tuple[str, ...]:
        unsent = () if uploads is None else uploads.troubles()
        return *configuration.warnings, *housekeeping.troubles(), *unsent

    def waiting() -> tuple[str, ...]:
        return configuration.waiting_words

    status = Status(ledger, settings, out, program_version(), forecast, troubles, scrapes, waiting)
    job_listing, roster = JobListing(database, settings), Roster(database, settings)
    reload.readers += [queue, leaders_queue, forecast, collector, status, job_listing, roster, reports]
    return Parts(
        database=database,
        queue=queue,
        runs=Runs(database),
        steering=Steering(database),
        audit=Audit(database),
        run_listing=RunListing(database),
        job_listing=job_listing,
        champion_listing=ChampionListing(database),
        status=status,
        overview=Overview(ledger, status),
        failures=FailureListing(database),
        roster=roster,
        vitals=vitals,
        reports=reports,
        alerts=alerts,
        scrapes=scrapes,
        housekeeping=housekeeping,
        artifacts=artifacts,
        measures=measures,
        registry=registry,
        doorkeeper=Doorkeeper(tokens, Throttle(database.clock), measures.wrong_token),
        proxies=Proxies(settings.dashboard.proxies, settings.dashboard.external_url),
        loopback=loopback,
        configuration=configuration,
        out=OutFolder(out),
        uploads=uploads,
        trusted_hosts=trusted_hosts,
    )


def housekeeping_of(
    database: Database,
    queue: Queue,
    settings: NightSettings,
    out: OutFolder,
    artifacts: Artifacts,
    forecast: Forecast,
    alerts: Alerts,
    vitals: Vitals,
    reload: Reload,
    reports: Reports,
    alertmanager: str = "",
    leader: Leader | None = None,
    seat: Seat = SOLE,
    uploads: Uploads | None = None,
) -> Loop:
    """Return the loop with all duties, in the order in which they are done; without a leader it leads.

    `queue` and `alerts` write by the leader's fence, as all does here but the heartbeat and the settings.
    """
    leader = leader or SoleProcess()
    own = database
    database = own.fenced(leader.fence)
    schedule = Schedule(database, settings)
    parallelism = Parallelism(database, settings)
    reload.readers += [schedule, parallelism]
    publication = Publication(database, artifacts, out.models, uploads)
    progress = ProgressFile(database, out.progress, forecast)
    duties = (
        Leftovers(out),
        Heartbeat(own, seat),
        publication,
        Expiry(queue),
        reload,
        schedule,
        Roomless(queue),
        EarlyEnd(database),
        Settlement(database, out, publication, progress),
        MorningReport(database, reports),
        Digest(database, reports, alertmanager),
        Silence(alerts, database.clock),
        parallelism,
        Pulse(vitals),
        progress,
    )
    return Loop(database.clock, duties, leader, settings.lease.seconds)


def _blob_again(database: Database, objects: Objects | None, sha256: str) -> bytes:
    made = made_again(database, sha256)
    return made or (b"" if objects is None else fetch_blob(objects, sha256))
