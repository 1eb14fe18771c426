"""What a reader says and prints, in English and Chinese: the card's choice, else the terminal's."""

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from emv_tap import DATA, NOW, WIDE, profile
from tandem.cli.terminal_till import _shown
from tandem.emv.card import CardData
from tandem.emv.terminal import LANGUAGES, MESSAGES, Cvm, Message, UiRequest, UiStatus, language_of
from tandem.kernel import ManualClock
from tandem.tap import DirectField, Payment, TerminalMisset, read_terminal_settings, receipt
from tandem.tap.receipt import _WORDS, WIDTH, _columns
from tap_play import PASSCODE, device_in
from tap_shop import SETTINGS, SETTINGS_TEXT, YES, FakeHost, till_in


def test_every_message_and_word_of_a_receipt_is_there_in_each_language() -> None:
    assert set(MESSAGES) == set(Message)
    for words in MESSAGES.values():
        assert tuple(words) == LANGUAGES
        assert len({bool(text) for text in words.values()}) == 1
    assert tuple(_WORDS) == LANGUAGES
    for one, other in pairwise(_WORDS.values()):
        assert list(one) == list(other)


@pytest.mark.parametrize(
    ("preferred", "own", "spoken"),
    [
        ((), "zh", "zh"),
        (("en", "zh"), "zh", "en"),
        (("fr", "zh", "en"), "en", "zh"),
        (("fr",), "zh", "zh"),
    ],
)
def test_the_card_chooses_and_else_the_terminal(
    preferred: tuple[str, ...], own: str, spoken: str
) -> None:
    assert language_of(preferred, own) == spoken


@pytest.mark.parametrize(("preferred", "spoken"), [("", "zh"), ("frzh", "zh"), ("enzh", "en")])
async def test_a_tap_is_shown_and_printed_in_one_language(
    tmp_path: Path, preferred: str, spoken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, shown = ManualClock(NOW), list[UiRequest]()
    card = profile(msgspec.structs.replace(DATA, languages=preferred), WIDE)
    host, till_folder = FakeHost(YES), tmp_path / "till"
    with device_in(tmp_path / "device", clock, card, passcode=PASSCODE) as device:
        device.verify(PASSCODE)
        with till_in(till_folder, DirectField(device), host, clock, shown=shown) as (till, store):
            payment = await till.take(8000)
            ((_, kept),) = store.last(1)
    for ui in shown:
        _shown(ui, "zh")
    lines = capsys.readouterr().out.splitlines()
    assert "请出示卡片  80.00 CNY" in lines[0], "no card was read yet: the terminal's language"
    assert MESSAGES[Message.APPROVED][spoken] in lines[-1]
    printed = receipt(kept, SETTINGS.shop, "zh")
    assert printed == receipt(payment, SETTINGS.shop, "zh")
    assert ("交易成功" in printed) is (spoken == "zh")
    assert all(_columns(line) <= WIDTH for line in printed.splitlines())


def test_a_receipt_has_the_shops_printed_name_and_the_card_is_told_the_plain_one() -> None:
    text = SETTINGS_TEXT.replace('name = "Blue Door"', 'name = "Blue Door"\nprinted_name = "蓝门"')
    settings = read_terminal_settings(text.encode())
    assert settings.terminal().merchant_name == "Blue Door"
    printed = receipt(Payment(number=7, at=NOW, amount=1, currency="CNY"), settings.shop, "zh")
    first, *_ = printed.splitlines()
    assert first == " " * 14 + "蓝门", "four columns of 32"


@pytest.mark.parametrize("name", ["蓝门" * 21, "Blue\\nDoor", "Blue Door\\n", "\\u009b2J"])
def test_a_name_that_cannot_be_printed_is_refused(name: str) -> None:
    text = SETTINGS_TEXT.replace("[shop]", f'[shop]\nprinted_name = "{name}"')
    with pytest.raises(TerminalMisset, match="printed_name"):
        read_terminal_settings(text.encode())


def test_a_chinese_receipt_has_its_columns() -> None:
    paid = Payment(
        number=7, at=NOW, amount=8000, currency="CNY", approved=True, card="*" * 12 + "0121",
        label="TANDEM", aid="F074616E64656D", atc=3, cvm=Cvm.DEVICE, authorisation_code="A00001",
    )  # fmt: skip
    assert (
        receipt(paid, SETTINGS.shop, "zh")
        == """\
           Blue Door

2029-06-15              12:30:45
终端号                        T1
流水号                    000007

消费                   CNY 80.00
非接触卡号      ************0121
TANDEM            F074616E64656D
交易计数                       3
授权码                    A00001
已在设备上验证

            交易成功"""
    )


def test_a_card_need_not_prefer_a_language() -> None:
    fields = {name: getattr(DATA, name) for name in CardData.__struct_fields__}
    del fields["languages"]
    assert CardData(**fields).languages == ""
    assert UiRequest(Message.APPROVED, UiStatus.IDLE).text("zh") == "交易成功"


def test_a_language_that_the_reader_does_not_speak_is_refused() -> None:
    assert read_terminal_settings(f'language = "zh"\n{SETTINGS_TEXT}'.encode()).language == "zh"
    with pytest.raises(TerminalMisset, match="language"):
        read_terminal_settings(f'language = "fr"\n{SETTINGS_TEXT}'.encode())
