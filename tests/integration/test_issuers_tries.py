"""How often issuers are asked: what a thief may try out, and who must not suffer for it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from issuer_town import Bank, add, card, open_bank
from town import Someone

from tandem.cards import (
    CardBeingChecked,
    CardCommand,
    CardDetails,
    CardNotEligible,
    CardRefused,
    Checked,
    IssuerAway,
    IssuerSilent,
)
from tandem.cards.funding import ASKING_TIME, MAX_ASKED
from tandem.kernel import Invalid, read_id


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.getbasetemp() / "issuer-tries-keys"
    made.mkdir(exist_ok=True)
    return made


@pytest.fixture
async def bank(module_database: str, folder: Path) -> AsyncIterator[Bank]:
    async with open_bank(module_database, folder) as made:
        yield made


@pytest.fixture
async def lin(bank: Bank) -> Someone:
    return await bank.town.person()


def asked(bank: Bank) -> list[str]:
    """The kinds of messages that reach the issuer from now on."""
    heard: list[str] = []
    bank.issuer.heard = lambda message, *, came: heard.append(message.mti) if came else None
    return heard


async def test_a_thief_cannot_try_out_numbers(bank: Bank, lin: Someone) -> None:
    """Three refusals a day for a person, and three answers for a number, whoever tries it."""
    heard = asked(bank)
    for _ in range(3):
        with pytest.raises(CardRefused):
            await add(bank, lin, card("0005", 1))
    assert heard.count("0100") == 3
    with pytest.raises(CardNotEligible):
        await add(bank, lin, card("0119"))
    made = await add(bank, await bank.town.person(), card("0005", 1))
    assert (made.status, made.proof_by) == ("waiting_operator", "wallet")
    assert heard.count("0100") == 3


async def test_refusals_do_not_keep_a_number_from_its_owner(bank: Bank, lin: Someone) -> None:
    """A thief with wrong security codes: what is added then, the operator confirms."""
    cards, own = bank.town.services.cards, await add(bank, lin, card())
    check = cards._remote._issuers.check

    async def checked(issuer_id: UUID, details: CardDetails) -> Checked:
        right = details.security_code == card().security_code
        return await check(issuer_id, details if right else card("0005"))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cards._remote._issuers, "check", checked)
        for _ in range(3):
            with pytest.raises(CardRefused):
                await cards.fund(
                    lin.id,
                    read_id("crd", own.id),
                    "CNY",
                    msgspec.structs.replace(card("0119", 2), security_code="000"),
                )
    bank.town.wait(seconds=61)
    mei = await bank.town.person()
    made = await add(bank, mei, card("0119", 2))
    assert (made.status, made.funding_last_four) == ("waiting_operator", "0119")
    card_id = read_id("crd", made.id)
    assert (await cards.by_operator(card_id, CardCommand.CONFIRM)).status == "active"
    with pytest.raises(Invalid, match="new device card"):
        await cards.fund(mei.id, card_id, "CNY", card("0119", 2))


async def test_many_tries_at_once_are_few(bank: Bank, lin: Someone) -> None:
    made = await add(bank, lin, card("0119", 9))
    heard, cards = asked(bank), bank.town.services.cards
    found = await asyncio.gather(
        *(add(bank, lin, card("0005", 10 + nth)) for nth in range(20)),
        *(
            cards.fund(lin.id, read_id("crd", made.id), "CNY", card("0005", 40 + nth))
            for nth in range(20)
        ),
        return_exceptions=True,
    )
    kinds = {CardRefused, CardBeingChecked, CardNotEligible, Invalid}
    assert {type(one) for one in found} <= kinds
    assert [type(one) for one in found].count(CardRefused) == 3
    assert heard.count("0100") == 3


async def test_many_people_at_once_are_told_to_wait_a_moment(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve families of one number: three are asked about, the others come a little later."""
    cards, answer = bank.town.services.cards, asyncio.Event()
    check = cards._remote._issuers.check

    async def slow(issuer_id: UUID, details: CardDetails) -> Checked:
        await answer.wait()
        return await check(issuer_id, details)

    monkeypatch.setattr(cards._remote._issuers, "check", slow)
    people = [await bank.town.person() for _ in range(12)]
    adding = [asyncio.create_task(add(bank, one, card("0119", 20))) for one in people]
    finished, clock = asyncio.as_completed(adding), bank.town.services.clock
    for _ in range(9):
        with pytest.raises(CardBeingChecked) as refused:
            await next(finished)
        assert timedelta() < refused.value.until - clock.now() <= ASKING_TIME
    later = [person for person, one in zip(people, adding, strict=True) if one.done()]
    answer.set()
    made = [await one for one in finished]
    made += [await add(bank, person, card("0119", 20)) for person in later]
    assert [one.status for one in made] == ["active"] * 12


async def test_a_number_whose_issuer_wants_a_proof_is_not_kept_from_its_owner(
    bank: Bank, lin: Someone
) -> None:
    """A thief has a card pay from it, again and again; and that ends after some in a day."""
    cards, own, heard = bank.town.services.cards, await add(bank, lin, card()), asked(bank)
    number, mei = card("0085", 70), await bank.town.person()
    for nth in range(1, MAX_ASKED):
        with pytest.raises(Invalid, match="new device card"):
            await cards.fund(lin.id, read_id("crd", own.id), "CNY", number)
        if nth % 3 == 0:
            made = await add(bank, mei, number)
            assert (made.status, made.proof_by) == ("waiting_code", "issuer")
            await cards.by_person(mei.id, read_id("crd", made.id), CardCommand.REMOVE)
    asked_before = heard.count("0100")
    for _ in range(3):
        with pytest.raises(CardNotEligible) as red:
            await cards.fund(lin.id, read_id("crd", own.id), "CNY", number)
        assert red.value.reason == "too_many_asked"
    with pytest.raises(CardNotEligible):
        await add(bank, lin, card("0119", 3))
    assert heard.count("0100") == asked_before
    assert (await add(bank, mei, number)).status == "waiting_code"
    bank.town.wait(days=1)
    assert (await add(bank, lin, card("0119", 3))).status == "active"


async def test_what_was_paid_from_before_is_no_refusal(bank: Bank, lin: Someone) -> None:
    """Somebody who cannot decide: each change is agreed to, and none of them counts as refused."""
    cards, own = bank.town.services.cards, await add(bank, lin, card())
    for nth in range(5):
        funded = await cards.fund(lin.id, read_id("crd", own.id), "CNY", card("0127", nth))
        assert funded.funding_last_four == "0127"


@pytest.mark.parametrize(
    ("fault", "rows"), [(IssuerAway("harbour-bank"), 1), (IssuerSilent("harbour-bank"), 5)]
)
async def test_no_answer_is_no_refusal(
    bank: Bank, lin: Someone, fault: Exception, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked counts as asked, and what could not be asked not at all."""

    async def nobody(*_: object) -> None:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(bank.town.services.cards._remote._issuers, "check", nobody)
        for _ in range(4):
            with pytest.raises(type(fault)):
                await add(bank, lin, card("0119", 4))
    assert (await add(bank, lin, card("0119", 4))).status == "active"
    kept = await bank.town.services.pool.fetchval(
        "SELECT count(*) FROM funding_cards WHERE person_id = $1", lin.id
    )
    assert kept == rows


async def test_a_request_that_is_given_up_is_no_refusal(
    bank: Bank, lin: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = asyncio.Event()

    async def never(*_: object) -> None:
        asking.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(bank.town.services.cards._remote._issuers, "check", never)
        for _ in range(4):
            asking.clear()
            adding = asyncio.create_task(add(bank, lin, card("0119", 6)))
            heard = asyncio.create_task(asking.wait())
            await asyncio.wait([adding, heard], return_when=asyncio.FIRST_COMPLETED)
            assert heard.done()
            adding.cancel()
            await asyncio.wait([adding])
            assert adding.cancelled()
    assert (await add(bank, lin, card("0119", 6))).status == "active"


async def test_a_process_that_died_while_it_asked_leaves_a_refusal(
    bank: Bank, lin: Someone
) -> None:
    """A thief must not get tries out of it, and the number's owner waits for a minute at most."""
    for _ in range(3):
        await add(bank, lin, card("0119", 5))
    pool, mei = bank.town.services.pool, await bank.town.person()
    await pool.execute("UPDATE device_cards SET status = 'removed', funding_kind = 'balance', "
                       "funding_id = NULL, funding_last_four = NULL "
                       "WHERE person_id = $1", lin.id)  # fmt: skip
    await pool.execute("UPDATE funding_cards SET refused = true WHERE person_id = $1", lin.id)
    with pytest.raises(CardBeingChecked):
        await add(bank, mei, card("0119", 5))
    with pytest.raises(CardBeingChecked):
        await add(bank, lin, card("0127"))
    bank.town.wait(seconds=61)
    assert (await add(bank, mei, card("0119", 5))).status == "waiting_operator"
    with pytest.raises(CardNotEligible) as red:
        await add(bank, lin, card("0127"))
    assert red.value.reason == "too_many_refused"
