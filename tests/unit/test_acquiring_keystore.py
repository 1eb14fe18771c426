"""Keys of links as people hand them over: components, check values, what is no key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.acquiring import KeyKind, LinkKeyUnfit, combine, split
from tandem.acquiring.keystore import SIZES, check_value, fit
from tandem.kernel import system_entropy

AES = bytes(range(1, 17))
TDES = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@given(st.data())
def test_components_are_the_key_again_and_fewer_of_them_are_nothing(data: st.DataObject) -> None:
    kind: KeyKind = data.draw(st.sampled_from(["aes", "tdes"]))
    size = data.draw(st.sampled_from(SIZES[kind]))
    secret = data.draw(
        st.binary(min_size=size, max_size=size).filter(
            lambda key: len({key[at : at + 8] for at in range(0, size, 8)}) == size // 8
        )
    )
    try:
        fit(secret, kind)
    except LinkKeyUnfit:
        return
    count = data.draw(st.integers(1, 3))
    parts = split(secret, count, system_entropy)
    assert combine(parts, kind) == secret
    if count > 1:
        assert secret not in parts


def test_check_values_are_the_standards() -> None:
    # The DES key of many books; and NIST SP 800-38B's AES key over a block of zeros.
    assert check_value(TDES, "tdes") == "08D7B4"
    assert len(check_value(AES, "aes")) == 10
    assert check_value(AES, "aes") != check_value(bytes(reversed(AES)), "aes")


@pytest.mark.parametrize(
    ("components", "kind", "why"),
    [
        ([], "aes", "one, two or three components"),
        ([AES] * 4, "aes", "one, two or three components"),
        ([AES, AES[:8]], "aes", "not equally long"),
        ([AES[:15]], "aes", "16 or 24 or 32 bytes"),
        ([AES + AES], "tdes", "16 or 24 bytes"),
        ([b""], "aes", "has 16 or 24 or 32 bytes, and this has 0"),
        ([bytes(16)], "aes", "all its bytes are the same"),
        ([AES, AES], "aes", "all its bytes are the same"),
        ([TDES[:8] * 2], "tdes", "single DES"),
        ([TDES + TDES[8:]], "tdes", "single DES"),
        ([TDES[:8] + bytes(byte ^ 1 for byte in TDES[:8])], "tdes", "single DES"),
    ],
)
def test_what_is_no_key_is_refused_without_a_word_of_it(
    components: list[bytes], kind: KeyKind, why: str
) -> None:
    with pytest.raises(LinkKeyUnfit, match=why) as refused:
        combine(components, kind)
    told = repr(refused.value) + refused.value.sentence() + str(refused.value.data())
    assert not any(part and part.hex() in told.lower() for part in components)
