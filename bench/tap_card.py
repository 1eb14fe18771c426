"""The card of the benchmark, and the phone that holds it: in this process, or at the reader."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from bench.stopwatch import Stopwatch
from tandem.emv.authority import Authority, TrustedKeys
from tandem.emv.card import (
    CardData,
    CardKeys,
    CardState,
    Certificates,
    Limits,
    Profile,
    signed_data,
)
from tandem.emv.certificates import CARD_BITS
from tandem.emv.issuer import Issuer
from tandem.emv.rsa import PrivateKey
from tandem.kernel import SystemClock, currency, system_entropy
from tandem.tap import Device, DeviceStore, Presence, Provisioned
from tandem.tap.vpcd import LOOPBACK, PORT, connect

AID: Final = bytes.fromhex("F074616E6401")
UNIT: Final = currency("CNY")
AMOUNT: Final = 3800
"""Minor units: small enough that nobody has to be verified, so that it is one tap."""

_PAN: Final = "9801234567890121"
_REQUESTOR: Final = "98012345678"
_FIRST, _LAST = date(2020, 1, 1), date(2049, 12, 31)
_MANY: Final = 10**9
_START_SECONDS: Final = 20.0


def make_card(*folders: Path) -> TrustedKeys:
    """A card with keys of the usual lengths, on a phone in each folder; what terminals trust."""
    authority = Authority.create(AID[:5], _LAST, system_entropy)
    issuer = Issuer.create(authority.current, _PAN[:6], _LAST, 1, system_entropy)
    signer = PrivateKey.generate(CARD_BITS, system_entropy)
    data = CardData(
        aid=AID,
        label="TANDEM",
        pan=_PAN,
        sequence="01",
        effective=_FIRST,
        expiry=_LAST,
        par="9801" + "A1" * 12 + "B",
        token_requestor=_REQUESTOR,
        country=156,
        currency=UNIT.number,
        currency_exponent=UNIT.exponent,
    )
    certificate = issuer.certify_card(signer.public, _PAN, _LAST, 1, signed_data(data))
    profile = Profile(
        data=data,
        certificates=Certificates(
            ca_index=issuer.authority_index, issuer=issuer.certificate, card=certificate
        ),
        keys=CardKeys(cryptogram_key=system_entropy(16), private_key=signer.to_bytes()),
        limits=Limits(
            unverified_amount=_MANY,
            unverified_total=_MANY,
            unverified_count=_MANY,
            transit_amount=_MANY,
            transit_total=_MANY,
            transit_count=_MANY,
            offline_total=_MANY,
            offline_count=_MANY,
        ),
    )
    for folder in folders:
        with DeviceStore(folder, system_entropy) as store:
            store.add(Provisioned(id="crd_bench", profile=profile, state=CardState()))
    return authority.trusted()


class NoReaderError(Exception):
    """The virtual reader cannot be used, or the phone does not come to it."""


@contextmanager
def phone(folder: Path) -> Iterator[Device]:
    """The phone, as `tandem device tap` has it: each counter is on the disk before its answer."""
    with DeviceStore(folder, system_entropy) as store:
        yield Device(store, SystemClock(), system_entropy)


@contextmanager
def phone_at_reader(folder: Path) -> Iterator[Any]:
    """The phone in a process of its own, at the virtual reader.

    Yields its seconds so far: of cryptography, and of its disk. Raises `NoReaderError`.
    """
    context = get_context("spawn")
    seconds, there = context.Array("d", 2, lock=False), context.Event()
    process = context.Process(target=_at_reader, args=(folder, seconds, there), daemon=True)
    process.start()
    try:
        if not there.wait(_START_SECONDS):
            raise NoReaderError("the phone did not come to it")
        yield seconds
    finally:
        process.terminate()
        process.join()


def _at_reader(folder: Path, seconds: Any, there: Any) -> None:  # noqa: ANN401 - shared by processes
    watch = Stopwatch("card")
    parent = os.getppid()
    with phone(folder) as device, watch.running():

        class Timed:
            """The phone, which says after each answer how long it took for what."""

            def exchange(self, apdu: bytes) -> bytes:
                answer = device.exchange(apdu)
                seconds[:] = watch.seconds["card"], watch.seconds["disk"]
                return answer

            def reset(self) -> None:
                device.reset()

        presence = Presence(Timed(), connect(LOOPBACK, PORT), system_entropy)
        there.set()
        presence.serve(lambda: os.getppid() != parent)
