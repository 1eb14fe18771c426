"""Issuers: the hosts of the banks whose cards fund device cards, and one that is simulated."""

from tandem.issuers.errors import IssuersUnusable
from tandem.issuers.gateway import RemoteIssuers, open_issuers
from tandem.issuers.links import IssuerLink, IssuerSettings, read_issuers
from tandem.issuers.rules import Deed, Rule, Rules, read_rules
from tandem.issuers.simulator import Simulator

__all__ = [
    "Deed",
    "IssuerLink",
    "IssuerSettings",
    "IssuersUnusable",
    "RemoteIssuers",
    "Rule",
    "Rules",
    "Simulator",
    "open_issuers",
    "read_issuers",
    "read_rules",
]
