"""Messages for people: names and bits are there, card numbers are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emv_tap import DATA, FINGER, Device, gate, ready, seeded
from tandem.emv import bits, show
from tandem.emv.dol import Dol
from tandem.emv.show import Line
from tandem.emv.tags import DICTIONARY, Tag
from tandem.emv.terminal import run
from tandem.emv.tlv import constructed, is_constructed, primitive
from tandem.emv.values import mask_pan

PAN = "4761739001010010"
RECORD = constructed(
    0x70,
    primitive(Tag.PAN, bytes.fromhex(PAN)),
    primitive(Tag.TRACK_2, bytes.fromhex(PAN + "D31122010123456789")),
    primitive(0x5F20, b"WANG/WEI"),
    primitive(Tag.EXPIRY, bytes.fromhex("311231")),
    primitive(0xDF7F, b"\x01\x02"),
)


def notes(tag: int, value: str) -> tuple[str, ...]:
    return show.show_value(tag, bytes.fromhex(value)).notes


def text(tag: int, value: bytes) -> str:
    return show.show_value(tag, value).value


def test_card_number_track_and_name_are_masked_unless_asked_for() -> None:
    masked = show.render(show.show_tlv(RECORD.raw))
    assert PAN not in masked
    assert "WANG" not in masked
    assert "31122010" not in masked
    assert "476173******0010" in masked
    plain = show.render(show.show_tlv(RECORD.raw, unmasked=True))
    assert f"5A Application Primary Account Number (PAN): {PAN}" in plain
    assert f"57 Track 2 Equivalent Data: {PAN}D31122010123456789" in plain
    assert "WANG/WEI" in plain


def test_a_message_is_shown_as_a_tree() -> None:
    assert show.render(show.show_tlv(RECORD.raw)).splitlines() == [
        "70 READ RECORD Response Message Template",
        "  5A Application Primary Account Number (PAN): 476173******0010",
        "  57 Track 2 Equivalent Data: 476173******0010D*****************",
        "  5F20 Cardholder Name: ********",
        "  5F24 Application Expiration Date: 2031-12-31",
        "  DF7F Unknown: 0102",
    ]


@pytest.mark.parametrize(
    ("digits", "shown"),
    [
        ("4761739001010010", "476173******0010"),
        ("47617390010", "476173*0010"),
        ("4761739001", "**********"),
        ("", ""),
    ],
)
def test_a_short_number_keeps_nothing(digits: str, shown: str) -> None:
    assert mask_pan(digits) == shown


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [
        (Tag.AIP, "1980", (
            "Cardholder verification supported",
            "Terminal risk management to be performed",
            "Combined dynamic data authentication (CDA) supported",
            "Contactless EMV mode supported",
        )),
        (Tag.TVR, "8400800800", (
            "Offline data authentication was not performed",
            "CDA failed",
            "Cardholder verification was not successful",
            "Merchant forced transaction online",
        )),
        (Tag.IAC_DENIAL, "0010000000", ("Requested service not allowed for card product",)),
        (Tag.TSI, "E800", (
            "Offline data authentication was performed",
            "Cardholder verification was performed",
            "Card risk management was performed",
            "Terminal risk management was performed",
        )),
        (Tag.TTQ, "3600C000", (
            "EMV mode supported",
            "EMV contact chip supported",
            "Online PIN supported",
            "Signature supported",
            "Issuer update processing supported",
            "Consumer device CVM supported",
        )),
        (Tag.TTQ, "27C00000", (
            "EMV mode supported",
            "Online PIN supported",
            "Signature supported",
            "Offline data authentication for online authorisations supported",
            "Online cryptogram required",
            "CVM required",
        )),
        (Tag.CTQ, "0080", ("Consumer device CVM performed",)),
        (Tag.TERMINAL_CAPABILITIES, "200848", (
            "IC with contacts", "No CVM required", "DDA", "CDA",
        )),
        (Tag.ADDITIONAL_CAPABILITIES, "6000F0A001", (
            "Goods", "Services",
            "Numeric keys", "Alphabetic and special keys", "Command keys", "Function keys",
            "Print, attendant", "Display, attendant", "Code table 1",
        )),
        (Tag.CRYPTOGRAM_INFORMATION, "00", ("AAC: declined",)),
        (Tag.CRYPTOGRAM_INFORMATION, "40", ("TC: approved offline",)),
        (Tag.CRYPTOGRAM_INFORMATION, "80", ("ARQC: go online",)),
        (Tag.CRYPTOGRAM_INFORMATION, "09", (
            "AAC: declined", "Advice required", "Service not allowed",
        )),
        (Tag.USAGE_CONTROL, "3D00", (
            "Valid for domestic goods", "Valid for international goods",
            "Valid for domestic services", "Valid for international services",
            "Valid at terminals other than ATMs",
        )),
        (Tag.TERMINAL_TYPE, "22", (
            "Operated by a merchant", "Attended, offline with online capability",
        )),
        (Tag.PRIORITY, "81", (
            "Not to be selected without the cardholder's confirmation",
            "Priority 1, 1 being the highest",
        )),
        (Tag.CVM_RESULTS, "200002", ("Consumer device CVM (Tandem) always", "successful")),
        (Tag.CVM_RESULTS, "3F0000", ("No CVM performed always", "unknown")),
        (Tag.CVM_LIST, "0000000A0000000060001F033FFF", (
            "X = 10, Y = 0",
            "Consumer device CVM (Tandem) always, otherwise the next rule",
            "No CVM required if terminal supports the CVM",
            "No CVM performed under the unknown condition FF",
        )),
        (Tag.CVM_LIST, "0000000A000000006000FF", ("cut off",)),
        (Tag.AFL, "0801030110010200", (
            "SFI 1, records 1 to 3, 1 of them signed", "SFI 2, records 1 to 2, 0 of them signed",
        )),
        (Tag.CDOL1, "9F02069F3704", (
            "9F02 Amount, Authorised (Numeric), 6 bytes", "9F37 Unpredictable Number, 4 bytes",
        )),
        (Tag.STATIC_TAGS, "82", ("82 Application Interchange Profile (AIP)",)),
        (Tag.SERVICE_CONTEXT, "01", ("Gate of public transport",)),
    ],
)  # fmt: skip
def test_bits_and_parts_are_said_in_words(tag: int, value: str, expected: tuple[str, ...]) -> None:
    assert notes(tag, value) == expected


@pytest.mark.parametrize(
    ("tag", "value", "shown"),
    [
        (Tag.ATC, "0102", "0102 (258)"),
        (Tag.TRANSACTION_DATE, "260731", "2026-07-31"),
        (Tag.TRANSACTION_TIME, "235959", "23:59:59"),
        (Tag.TRANSACTION_TYPE, "20", "20 Refund"),
        (Tag.TRANSACTION_TYPE, "77", "77"),
        (Tag.TRANSACTION_CURRENCY, "0156", "0156 CNY"),
        (Tag.TRANSACTION_CURRENCY, "0000", "0000"),
        (Tag.AMOUNT, "000000003800", "3800 minor units"),
        (Tag.AMOUNT, "00000000380A", "00000000380A"),
        (Tag.APPLICATION_LABEL, b"tandem".hex(), "tandem"),
        (0x9F25, "1234", "1234"),
        (Tag.ATC, "", ""),
        (Tag.EXPIRY, "31", "31"),
    ],
)
def test_values_are_shown_as_people_read_them(tag: int, value: str, shown: str) -> None:
    assert text(tag, bytes.fromhex(value)) == shown


def test_an_amount_is_shown_in_the_currency_of_its_message() -> None:
    message = constructed(
        0x70,
        primitive(Tag.AMOUNT, bytes.fromhex("000000003800")),
        primitive(Tag.TRANSACTION_CURRENCY, bytes.fromhex("0156")),
    )
    assert "38.00 CNY" in show.render(show.show_tlv(message.raw))
    assert "38.00 CNY" in show.render(show.show_tlv(message.value))
    dol = Dol.of((Tag.AMOUNT, 6), (Tag.TRANSACTION_CURRENCY, 2))
    lines = show.show_dol_values(dol, bytes.fromhex("0000000038000392"))
    assert lines[0].value == "3800 JPY"


def test_commands_say_what_they_ask() -> None:
    def shown(data: str, dol: Dol | None = None) -> str:
        return show.render(show.show_command(bytes.fromhex(data), dol=dol))

    assert "325041592E5359532E4444463031 2PAY.SYS.DDF01" in shown(
        "00A404000E325041592E5359532E444446303100"
    )
    assert "SFI 2, record 1" in shown("00B2011400")
    assert "9F36 Application Transaction Counter (ATC)" in shown("80CA9F3600")
    asked = Dol.of((Tag.AMOUNT, 6))
    assert "ARQC asked for, with CDA" in shown("80AE900006000000003800")
    assert "000000003800" in shown("80AE900006000000003800")
    assert "Amount, Authorised (Numeric): 3800" in shown("80AE400006000000003800", asked)
    assert "TC asked for, without CDA" in shown("80AE400006000000003800", asked)
    assert "Amount, Authorised (Numeric): 3800" in shown("80A8000008830600000000380000", asked)
    assert "83 Command Template: 000000003800" in shown("80A8000008830600000000380000")
    assert "Unreadable" in shown("80A80000028305", asked)
    assert "Unreadable" in shown("80A8000003830100", asked)
    assert "Unreadable command" in shown("00")
    assert shown("00880000").startswith("INTERNAL AUTHENTICATE: 00 88 00 00")


def test_responses_say_their_status() -> None:
    shown = show.render(show.show_response(RECORD.raw + b"\x90\x00"))
    assert shown.startswith("Status: 9000\n    - Normal processing\n  70 READ RECORD")
    assert PAN not in shown
    assert "File not found" in show.render(show.show_response(b"\x6a\x82"))
    assert "Unreadable response" in show.render(show.show_response(b""))


def test_a_dialogue_remembers_the_lists_that_the_card_asked_by() -> None:
    device = Device()
    device.card.present(FINGER, failed_tries=1)
    run(ready(), seeded(), device.transmit)
    dialogue = show.Dialogue()
    shown = [
        show.render((*dialogue.command(command), *dialogue.response(answer)))
        for command, answer in zip(device.commands, device.answers, strict=True)
    ]
    assert "9F02 Amount, Authorised (Numeric): 38.00 CNY" in shown[2]
    assert "9F4E Merchant Name and Location: Noodles" in shown[2]
    assert "95 Terminal Verification Results (TVR): 0000000000" in shown[-1]
    assert "Verified by the secure element: finger" in shown[-1]
    assert "1 wrong tries before" in shown[-1]
    assert "Signed by the card (CDA)" in shown[-1]
    assert "CCD 6, key 1, TC" in shown[-1]
    assert DATA.pan not in "".join(shown)
    plain = show.Dialogue(unmasked=True)
    assert DATA.pan in show.render(plain.response(device.answers[3]))


def test_a_dialogue_at_a_gate_says_so() -> None:
    device = Device()
    run(ready(gate(), 300), seeded(), device.transmit)
    shown = show.render(show.show_response(device.answers[-1]))
    assert "By the rules for gates of public transport" in shown
    assert "Nobody verified the person" in shown


def test_a_dialogue_of_noise_is_shown_too() -> None:
    dialogue = show.Dialogue()
    assert dialogue.command(b"")[0].name == "Unreadable command"
    assert dialogue.response(b"")[0].name == "Unreadable response"
    damaged = constructed(0x70, primitive(Tag.CDOL1, b"\x9f")).raw + b"\x90\x00"
    assert "This is no data object list" in show.render(dialogue.response(damaged))
    assert notes(Tag.ISSUER_APPLICATION_DATA, "06010A03A00000") == (
        "CVN 10, key 1, ARQC",
        "Nobody verified the person",
    )
    assert notes(Tag.ISSUER_APPLICATION_DATA, "0A0B0C") == ()
    assert notes(Tag.STATIC_TAGS, "9F") == (
        "This is no data object list: no tag of one to three bytes (at byte 0).",
    )


def test_damage_is_said_and_no_data_of_it_is_shown() -> None:
    size = len(RECORD.value)
    reason = f"a length of {size} where {size - 1} bytes follow"
    (line,) = show.show_tlv(RECORD.raw[:-1])
    assert line == Line(
        0,
        "",
        "Unreadable",
        f"{len(RECORD.raw) - 1} bytes",
        (f"This is no BER-TLV: {reason} (at byte 2).",),
    )
    assert "This is no data object list" in show.show_dol(b"\x9f")[0].notes[0]


def test_every_kind_of_bits_is_of_a_known_tag() -> None:
    for tag, meanings in bits.BY_TAG.items():
        longest = DICTIONARY[tag].longest
        assert all(1 <= bit.byte <= longest for bit in meanings)
        assert all(bit.value & ~bit.mask == 0 for bit in meanings)


@given(st.sampled_from(sorted(DICTIONARY)), st.binary(max_size=300))
def test_any_value_can_be_shown_in_printable_lines(tag: int, value: bytes) -> None:
    if is_constructed(tag):
        return
    for unmasked in (True, False):
        line = show.show_value(tag, value, unmasked=unmasked)
        assert all(part.isprintable() for part in (line.name, line.value, *line.notes))


def test_a_value_as_long_as_can_be_is_shown_too() -> None:
    for tag in DICTIONARY:
        if not is_constructed(tag):
            assert show.show_value(tag, b"\x99" * 5000)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_shown(data: bytes) -> None:
    for lines in (
        show.show_tlv(data),
        show.show_command(data),
        show.show_command(data, dol=Dol.of((Tag.AMOUNT, 6))),
        show.show_response(data),
        show.show_dol(data),
        show.show_dol_values(Dol.of((Tag.AMOUNT, 6)), data),
    ):
        assert all(line.isprintable() for line in show.render(lines).splitlines())
