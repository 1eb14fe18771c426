"""Adding a device card that an issuer's card funds: what the issuer says."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from issuer_town import Bank, add, card, open_bank
from town import Someone, key, open_town

from tandem.cards import (
    CardCommand,
    CardConflict,
    CardDetails,
    CardNotEligible,
    CardOfNoIssuer,
    CardRefused,
    CodesUsedUp,
    CodeTooSoon,
    CodeWrong,
    IssuerAway,
)
from tandem.cards.proof import CODES_TIME, MAX_SENT, MAX_WRONG
from tandem.db import IdempotencyConflict
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


async def waiting(bank: Bank, lin: Someone, nth: int) -> UUID:
    """A card of the nth number whose issuer wants a code."""
    made = await add(bank, lin, card("0085", nth))
    assert made.status == "waiting_code"
    return read_id("crd", made.id)


async def guess(bank: Bank, lin: Someone, card_id: UUID, wrong: int = 1) -> None:
    """Have a code sent, and type that many wrong ones."""
    cards = bank.town.services.cards
    await cards.send_code(lin.id, card_id)
    code = int(bank.issuer.accounts.codes[-1][1])
    for n in range(wrong):
        with pytest.raises(CodeWrong):
            await cards.prove(lin.id, lin.device_id, card_id, f"{(code + n + 1) % 10**6:06d}")


async def test_a_card_that_is_removed_and_added_anew_gives_no_new_guesses(
    bank: Bank, lin: Someone
) -> None:
    """A thief with a stolen number: four guesses, removed, four guesses again; then others."""
    cards, number = bank.town.services.cards, 60
    left = [await waiting(bank, lin, number) for _ in range(3)]
    for wrong in (4, 4, 2):
        await guess(bank, lin, left[0], wrong)
        await cards.by_person(lin.id, left.pop(0), CardCommand.REMOVE)
        bank.town.wait(seconds=31)
    with pytest.raises(CardNotEligible) as red:
        await add(bank, lin, card("0085", number))
    assert red.value.reason == "too_many_wrong_codes"
    # nor does anybody else go on with the number
    assert (await add(bank, await bank.town.person(), card("0085", number))).proof == "orange"
    with pytest.raises(CardNotEligible) as red:  # nor they with another number
        await add(bank, lin, card("0119"))
    assert red.value.reason == "too_many_wrong_codes"
    bank.town.wait(days=1)
    owner = await bank.town.person()
    await waiting(bank, owner, number)
    assert (await add(bank, lin, card("0119"))).proof == "green"


async def test_five_guesses_of_anybodys_and_the_number_waits_for_the_operator(
    bank: Bank, lin: Someone
) -> None:
    for wrong in (3, 2):
        await guess(bank, lin, card_id := await waiting(bank, lin, 61), wrong)
        await bank.town.services.cards.by_person(lin.id, card_id, CardCommand.REMOVE)
        bank.town.wait(seconds=31)
    mei = await bank.town.person()
    assert (await add(bank, mei, card("0085", 61))).proof == "orange"
    assert (await add(bank, mei, card("0085", 62))).proof == "yellow"
    assert (await add(bank, lin, card("0085", 63))).proof == "orange"


async def test_a_thief_who_uses_a_number_up_does_not_lock_its_owner_out(
    bank: Bank, lin: Someone
) -> None:
    """Two accomplices, ten wrong codes: the operator confirms the owner's card the same day."""
    cards, number = bank.town.services.cards, 67
    thieves = [lin, await bank.town.person()]
    theirs = [await waiting(bank, one, number) for one in thieves]
    for one, card_id in zip(thieves, theirs, strict=True):
        await guess(bank, one, card_id, 5)
        bank.town.wait(seconds=31)
    for one in thieves:  # each has five wrong codes of their own, and the number has ten
        assert (await add(bank, one, card("0085", number))).proof == "orange"
    owner = await bank.town.person()
    made = await add(bank, owner, card("0085", number))
    assert (made.status, made.proof) == ("waiting_operator", "orange")
    confirmed = await cards.by_operator(read_id("crd", made.id), CardCommand.CONFIRM)
    assert confirmed.status == "active"
    other = await add(bank, owner, card("0119", 68))
    assert other.proof == "green", "their other cards"
    with pytest.raises(Invalid, match="guesses or refusals"):  # the operator is to see it
        await cards.fund(owner.id, read_id("crd", other.id), "CNY", card("0085", number))


async def test_guesses_that_count_no_more_are_taken_away(bank: Bank, lin: Someone) -> None:
    cards, town = bank.town.services.cards, bank.town

    async def kept() -> int:
        found: int = await town.services.pool.fetchval(
            "SELECT count(*) FROM card_codes WHERE person_id = $1", lin.id
        )
        return found

    await guess(bank, lin, await waiting(bank, lin, 69), 2)
    await cards.purge_due()
    assert await kept() == 3, "one sent, two wrong"
    town.wait(seconds=CODES_TIME.total_seconds() - 60)
    await cards.purge_due()
    assert await kept() == 3
    town.wait(seconds=120)
    assert await cards.purge_due() == 0, "it is looked for once an hour"
    town.wait(seconds=3600)
    await cards.purge_due()
    assert await kept() == 0


async def test_guesses_at_many_cards_at_once_are_ten(bank: Bank, lin: Someone) -> None:
    """Four people with the same stolen number, each with three cards that wait."""
    cards, people = bank.town.services.cards, [lin, *[await bank.town.person() for _ in range(3)]]
    wait_for = [(one, await waiting(bank, one, 64)) for one in people for _ in range(3)]
    codes = {card_id: int((await cards.issue_code(card_id)).code) for _, card_id in wait_for}
    found = await asyncio.gather(
        *(
            cards.prove(one.id, one.device_id, card_id, f"{(codes[card_id] + n) % 10**6:06d}")
            for n in (1, 2)
            for one, card_id in wait_for
        ),
        return_exceptions=True,
    )
    kinds = [type(one) for one in found]
    assert (kinds.count(CodeWrong), kinds.count(CodesUsedUp)) == (MAX_WRONG, 24 - MAX_WRONG)
    one, card_id = wait_for[0]
    with pytest.raises(CodesUsedUp) as refused:  # the right one, too: it may be a guess
        await cards.prove(one.id, one.device_id, card_id, f"{codes[card_id]:06d}")
    assert refused.value.reason == "wrong"
    assert timedelta() < refused.value.until - bank.town.services.clock.now() < CODES_TIME
    with pytest.raises(CodesUsedUp):
        await cards.send_code(one.id, card_id)
    assert (await cards.by_operator(card_id, CardCommand.CONFIRM)).status == "active"


async def test_messages_to_a_cardholder_are_few(bank: Bank, lin: Someone) -> None:
    """Half a minute between two, and ten in a day, whoever and whichever card asks for them."""
    cards, mei = bank.town.services.cards, await bank.town.person()
    own, own_too, other = [await waiting(bank, one, 65) for one in (lin, lin, mei)]
    asks = [(lin, own), (lin, own_too), (mei, other)]
    found = await asyncio.gather(
        *(cards.send_code(one.id, card_id) for one, card_id in asks), return_exceptions=True
    )
    assert [type(one) for one in found].count(CodeTooSoon) == 2
    for n in range(1, MAX_SENT):
        bank.town.wait(seconds=31)
        one, card_id = asks[n % 3]
        await cards.send_code(one.id, card_id)
    bank.town.wait(seconds=31)
    for one, card_id in asks:
        with pytest.raises(CodesUsedUp) as refused:
            await cards.send_code(one.id, card_id)
        assert refused.value.reason == "sent"
    bank.town.wait(days=1)
    await cards.send_code(mei.id, other)


async def test_a_code_that_was_not_sent_does_not_count(
    bank: Bank, lin: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards, card_id = bank.town.services.cards, await waiting(bank, lin, 66)

    async def away(*_: object) -> None:
        raise IssuerAway("harbour-bank")

    with monkeypatch.context() as patched:
        patched.setattr(cards._remote, "bring_code", away)
        with pytest.raises(IssuerAway):
            await cards.send_code(lin.id, card_id)
    await cards.send_code(lin.id, card_id)
