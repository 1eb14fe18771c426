"""Adding a device card that an issuer's card funds: what the issuer says, what a thief learns."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from issuer_town import Bank, card, open_bank
from town import Someone, key, open_town

from tandem.cards import (
    CardCommand,
    CardConflict,
    CardDetails,
    CardNotEligible,
    CardOfNoIssuer,
    CardRefused,
    CardView,
    CodeTooSoon,
    CodeWrong,
    IssuerAway,
)
from tandem.db import Idempotency, IdempotencyConflict
from tandem.issuers.messages import read_tagged
from tandem.kernel import Invalid, read_id


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.getbasetemp() / "issuer-add-keys"
    made.mkdir(exist_ok=True)
    return made


@pytest.fixture
async def bank(module_database: str, folder: Path) -> AsyncIterator[Bank]:
    async with open_bank(module_database, folder) as made:
        yield made


@pytest.fixture
async def lin(bank: Bank) -> Someone:
    return await bank.town.person()


async def add(
    bank: Bank, lin: Someone, details: CardDetails, idem: Idempotency | None = None
) -> CardView:
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    return await bank.town.services.cards.add(lin.id, lin.device_id, "CNY", public, idem, details)


async def test_the_issuer_says_yes(bank: Bank, lin: Someone) -> None:
    made = await add(bank, lin, card())
    assert (made.status, made.proof, made.proof_by) == ("active", "green", "wallet")
    assert (made.funding, made.funding_last_four) == ("issuer", "0119")
    other = await add(bank, lin, card("0127"))
    assert made.par != other.par  # another account
    assert made.par == (await add(bank, lin, card())).par


async def test_the_issuer_hears_the_security_code_and_nobody_keeps_it(
    bank: Bank, lin: Someone
) -> None:
    heard: list[dict[str, str]] = []
    bank.issuer.heard = lambda message, *, came: heard.append(
        read_tagged(message.fields.get(48, "") if came else "")
    )
    await add(bank, lin, msgspec.structs.replace(card(), security_code="907"))
    assert {"PU": "TOKEN", "CV": "907"} in heard
    row = await bank.town.services.pool.fetchrow(
        "SELECT * FROM funding_cards WHERE person_id = $1", lin.id
    )
    assert row is not None
    assert not any(b"907" in bytes(v) for v in row.values() if isinstance(v, bytes))
    assert card().pan.encode() not in row["pan_sealed"]


async def test_the_issuer_brings_a_code(bank: Bank, lin: Someone) -> None:
    cards, made = bank.town.services.cards, await add(bank, lin, card("0085"))
    assert (made.status, made.proof_by) == ("waiting_code", "issuer")
    card_id = read_id("crd", made.id)
    sent = await cards.send_code(lin.id, card_id)
    assert sent.channel == "SMS to *** 0085"
    with pytest.raises(CodeTooSoon):
        await cards.send_code(lin.id, card_id)
    ends, code = bank.issuer.accounts.codes[-1]
    assert ends == "0085"
    with pytest.raises(CodeWrong):
        await cards.prove(lin.id, lin.device_id, card_id, f"{(int(code) + 1) % 10**6:06d}")
    assert (await cards.prove(lin.id, lin.device_id, card_id, code)).status == "active"
    with pytest.raises(CardConflict):
        await cards.send_code(lin.id, card_id)


async def test_the_issuer_wants_to_be_spoken_to(bank: Bank, lin: Someone) -> None:
    made = await add(bank, lin, card("0001"))
    assert (made.status, made.proof) == ("waiting_operator", "orange")
    confirmed = await bank.town.services.cards.by_operator(
        read_id("crd", made.id), CardCommand.CONFIRM
    )
    assert confirmed.status == "active"


async def test_the_issuer_says_no_and_a_repeat_asks_nobody(bank: Bank, lin: Someone) -> None:
    same, heard = key(owner=lin.id), []
    bank.issuer.heard = lambda message, *, came: heard.append(message.mti) if came else None
    for _ in range(3):
        with pytest.raises(CardRefused):
            await add(bank, lin, card("0005"), same)
    assert heard.count("0100") == 1
    with pytest.raises(IdempotencyConflict):
        await add(bank, lin, card("0127"), same._replace(fingerprint=bytes(32)))


async def test_a_thief_cannot_try_out_numbers(bank: Bank, lin: Someone) -> None:
    """Three refusals a day for a person, and three for a number, whoever tries it."""
    heard: list[str] = []
    for _ in range(3):
        with pytest.raises(CardRefused):
            await add(bank, lin, card("0005", 1))
    bank.issuer.heard = lambda message, *, came: heard.append(message.mti) if came else None
    with pytest.raises(CardNotEligible):
        await add(bank, lin, card("0119"))
    with pytest.raises(CardNotEligible):
        await add(bank, await bank.town.person(), card("0005", 1))
    assert "0100" not in heard


async def test_many_tries_at_once_are_few(bank: Bank, lin: Someone) -> None:
    heard: list[str] = []
    made = await add(bank, lin, card("0119", 9))
    bank.issuer.heard = lambda message, *, came: heard.append(message.mti) if came else None
    cards = bank.town.services.cards
    found = await asyncio.gather(
        *(add(bank, lin, card("0005", 10 + nth)) for nth in range(20)),
        *(
            cards.fund(lin.id, read_id("crd", made.id), "CNY", card("0005", 40 + nth))
            for nth in range(20)
        ),
        return_exceptions=True,
    )
    assert {type(one) for one in found} == {CardRefused, CardNotEligible}
    assert heard.count("0100") == 3


@pytest.mark.parametrize(
    ("details", "refused"),
    [
        (CardDetails("4111111111111111", "4912"), CardOfNoIssuer),
        (CardDetails("9801230000000008", "4912"), (CardOfNoIssuer, Invalid)),
        (CardDetails(card().pan[:-1] + "0", "4912"), Invalid),
        (CardDetails(card().pan, "2001"), Invalid),
        (CardDetails(card().pan, "4913"), Invalid),
    ],
)
async def test_what_no_issuer_is_asked(
    bank: Bank, lin: Someone, details: CardDetails, refused: type[Exception]
) -> None:
    with pytest.raises(refused):
        await add(bank, lin, details)
    assert await bank.town.services.pool.fetchval(
        "SELECT count(*) FROM funding_cards WHERE person_id = $1", lin.id
    ) == 0  # fmt: skip


async def test_a_stored_request_does_not_give_the_number_away(bank: Bank, lin: Someone) -> None:
    """A plain hash of the request is found by trying numbers; what is kept is keyed."""
    idem = key(owner=lin.id)
    await add(bank, lin, card(), idem)
    kept = await bank.town.services.pool.fetchval(
        "SELECT fingerprint FROM idempotency WHERE owner_id = $1 AND key = $2", lin.id, idem.key
    )
    assert kept != idem.fingerprint


async def test_a_replacement_needs_a_plain_yes(bank: Bank, lin: Someone) -> None:
    cards, made = bank.town.services.cards, await add(bank, lin, card())
    card_id = read_id("crd", made.id)
    with pytest.raises(Invalid, match="new device card"):
        await cards.fund(lin.id, card_id, "CNY", card("0085"))
    with pytest.raises(CardRefused):
        await cards.fund(lin.id, card_id, "CNY", card("0005", 2))
    assert (await cards.get(card_id)).funding_last_four == "0119"


async def test_an_issuer_that_is_away_keeps_nothing(
    bank: Bank, lin: Someone, folder: Path, module_database: str
) -> None:
    path = folder / "nobody.toml"
    path.write_text('[[issuers]]\nname = "harbour-bank"\nranges = ["476173"]\nport = 1\n'
                    "answer_seconds = 1\n")  # fmt: skip
    async with open_town(module_database, folder, issuers=path) as alone:
        with pytest.raises(IssuerAway):
            await add(Bank(alone, bank.issuer), lin, card())
    assert (await add(bank, lin, card())).status == "active"
    async with open_town(module_database, folder) as without:
        with pytest.raises(CardOfNoIssuer):
            await add(Bank(without, bank.issuer), lin, card())
