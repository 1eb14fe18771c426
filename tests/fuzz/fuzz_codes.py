"""What a phone's camera reads: EMVCo payloads, links, pay codes, anything."""

from contextlib import suppress

from tandem.codes import NotEmvco, PayCodeMalformed, Payload, paycode, read_scan


def emvco(data: bytes) -> None:
    """A payload is written back as it stood, and can be shown; every text is some kind of code."""
    text = data.decode(errors="surrogateescape")
    read_scan(text)
    with suppress(PayCodeMalformed):
        paycode.parse(text)
    with suppress(NotEmvco):
        payload = Payload.parse(text)
        assert payload.write() == text
        lines = payload.describe()
        assert all("".join(line).isprintable() for line in lines)
        assert Payload.parse(payload.write()) == payload
        faults = payload.faults
        _ = payload.amount_minor, payload.tip, payload.schemes, payload.accounts, payload.currency
        if not faults:
            assert payload.crc_ok
            assert Payload.parse_strict(text) == payload
