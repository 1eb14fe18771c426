"""Searching a history on PostgreSQL: all of it, by pages that look at so much and no more."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from town import Someone, Town, key, open_town, said

from tandem.kernel import Invalid, NotFound
from tandem.people import reference_of
from tandem.wallet import HistoryLine, Wanted, search, service


@pytest.fixture(scope="module")
async def town(
    module_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    async with open_town(module_database, tmp_path_factory.mktemp("keys")) as made:
        yield made
        await made.check()


async def sent(town: Town, lin: Someone, mei: Someone, message: str, amount: int = 10) -> None:
    said(await town.services.wallet.send(lin.id, mei.id, amount, "CNY", message, key()))


async def found(
    town: Town, who: Someone, wanted: Wanted, *, limit: int = 100
) -> tuple[list[HistoryLine], int]:
    """All that is found, and by how many pages."""
    lines: list[HistoryLine] = []
    before, pages = None, 0
    while True:
        more, before = await town.services.wallet.look_through(who.id, "CNY", before, limit, wanted)
        lines += more
        pages += 1
        if before is None:
            return lines, pages


async def test_all_of_a_history_is_searched(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LOOKED_AT", 20)  # read by two at a time
    lin, mei = await town.person(yuan=100), await town.person(name="Mei Chen")
    await sent(town, lin, mei, "first tea")
    for number in range(48):
        await sent(town, lin, mei, f"lunch {number}")
    await sent(town, lin, mei, "last tea")

    teas, pages = await found(town, lin, Wanted(text="TEA"))
    assert [line.message for line in teas] == ["last tea", "first tea"]
    assert pages == 3  # 51 movements, 20 of them for each page
    ones, pages = await found(town, lin, Wanted(text="TEA"), limit=1)
    assert ones == teas
    assert pages == 5  # the last one only finds that there is nothing left
    everything, _ = await found(town, lin, Wanted(), limit=7)
    assert [line.number for line in everything] == list(range(51, 0, -1))
    (top_up,), _ = await found(town, lin, Wanted(types=frozenset(("top_up",))))
    assert (top_up.type, top_up.number) == ("top_up", 1)
    assert await found(town, lin, Wanted(text="'; DROP TABLE sends; --")) == ([], 3)
    theirs, _ = await found(town, mei, Wanted(text="tea"))
    assert [line.change for line in theirs] == [10, 10]
    stranger = await town.person(yuan=1)
    assert (await found(town, stranger, Wanted(text="tea")))[0] == []


async def test_a_month_is_found_without_reading_what_came_after(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LOOKED_AT", 20)
    lin, mei = await town.person(yuan=100), await town.person()
    begins: list[datetime] = []
    for month in range(4):
        begins.append(town.services.clock.now())
        for number in range(9):
            await sent(town, lin, mei, f"month {month}, {number}")
        town.wait(days=30)
    second = Wanted(since=begins[1], until=begins[2])
    lines, pages = await found(town, lin, second)
    assert [line.message for line in lines] == [f"month 1, {n}" for n in reversed(range(9))]
    assert pages == 1
    assert await found(town, lin, Wanted(since=town.services.clock.now())) == ([], 1)
    assert await found(town, lin, Wanted(until=begins[0] - timedelta(days=1))) == ([], 1)
    last, _ = await found(town, lin, Wanted(text="month 0, 8", until=begins[1]), limit=1)
    assert len(last) == 1


def test_a_page_looks_at_a_bounded_number_of_movements() -> None:
    assert search.LOOKED_AT <= 2000


async def test_a_transfer_finds_its_person_by_the_reference(town: Town) -> None:
    lin = await town.person()
    people = town.services.people
    reference = reference_of(lin.id)
    assert (await people.find_by_reference(reference)).id == lin.id
    assert [one.id for one in await people.search(reference.lower(), None, 10)] == [lin.id]
    with pytest.raises(Invalid, match="mistake"):
        await people.search(f"{reference[:-1]}{'1' if reference[-1] == '0' else '0'}", None, 10)
    with pytest.raises(NotFound):
        await people.find_by_reference("RF261TH2QVDCEG6TN280")
    assert town.services.wallet.top_up_details(lin.id).reference == reference
