"""Shifts: what a till took from its opening to its closing."""

from tandem.shifts.errors import ShiftClosed, ShiftOfAnother, ShiftOpen
from tandem.shifts.model import OpenShift, Shift, ShiftTotals, ShiftView, WayTotals, shift_view
from tandem.shifts.service import Shifts

__all__ = [
    "OpenShift",
    "Shift",
    "ShiftClosed",
    "ShiftOfAnother",
    "ShiftOpen",
    "ShiftTotals",
    "ShiftView",
    "Shifts",
    "WayTotals",
    "shift_view",
]
