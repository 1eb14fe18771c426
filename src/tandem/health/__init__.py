"""How the installation is: processes, database, what waits; in words, with what to do."""

from tandem.health.model import FindingView, JobView, Known, judge
from tandem.health.service import Health, HealthView
from tandem.health.vitals import DiskState, LinkState, State, Vitals, disk_of

__all__ = [
    "DiskState",
    "FindingView",
    "Health",
    "HealthView",
    "JobView",
    "Known",
    "LinkState",
    "State",
    "Vitals",
    "disk_of",
    "judge",
]
