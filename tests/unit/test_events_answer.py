"""What is kept of an endpoint's answer: little, and plain text."""

import pytest

from tandem.events.send import MAX_KEPT, beginning_of


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"", None),
        (b"ok", "ok"),
        (b"one\r\ntwo\tthree\n", "one\ntwo\tthree\n"),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        (b"\x00\x1b[31m\x7f\xc2\x9b", "\ufffd\ufffd[31m\ufffd\ufffd"),
        (b"\xffcaf\xc3\xa9", "\ufffdcaf\u00e9"),
        (b"cut \xc3", "cut \ufffd"),
        ("\u5317\U0001f600".encode(), "\u5317\U0001f600"),
    ],
)
def test_an_answer_is_kept_as_text(body: bytes, kept: str | None) -> None:
    assert beginning_of(body) == kept


def test_a_long_answer_is_cut_between_characters() -> None:
    kept = beginning_of("\u5317".encode() * MAX_KEPT)
    assert kept == "\u5317" * (MAX_KEPT // 3)
    assert beginning_of(b"x" * MAX_KEPT) == beginning_of(b"x" * 9000) == "x" * MAX_KEPT
