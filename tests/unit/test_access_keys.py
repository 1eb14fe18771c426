"""Keys: how they look, how they are stored, what they may do."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from tandem.access import SCOPES, Key, NoSuchScope, key_view
from tandem.access.model import Kind, check_scopes, digest, new_secret
from tandem.kernel import system_entropy

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "prefix"), [("operator", "tk_op_"), ("merchant", "tk_mer_"), ("person", "tk_dev_")]
)
def test_a_secret_has_256_random_bits_behind_a_prefix_that_scanners_find(
    kind: Kind, prefix: str
) -> None:
    asked: list[int] = []

    def entropy(count: int) -> bytes:
        asked.append(count)
        return bytes(range(200, 200 + count))

    secret = new_secret(kind, entropy)
    assert asked == [32]
    assert secret.startswith(prefix)
    assert len(secret) == len(prefix) + 43
    assert digest(secret) == hashlib.sha256(secret.encode()).digest()


def test_no_two_secrets_are_alike() -> None:
    assert len({new_secret("merchant", system_entropy) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "tk_mer_",
        "tk_mer_" + "A" * 42,
        "tk_mer_" + "A" * 44,
        "tk_mer_" + "A" * 43 + "\n",
        " tk_mer_" + "A" * 43,
        "tk_xyz_" + "A" * 43,
        "TK_MER_" + "A" * 43,
        "tk_mer_" + "A" * 42 + "=",
        "tk_mer_" + "A" * 42 + "\0",
        "tk_mer_" + "A" * 42 + "\u0661",  # an Arabic digit
        "tk_mer_" + "A" * 42 + "\ud800",
        "tk_mer_" + "A" * 1_000_000,
    ],
)
def test_what_cannot_be_a_secret_is_not_looked_up(wrong: str) -> None:
    assert digest(wrong) is None


def test_scopes_are_checked_and_put_in_order() -> None:
    asked = ["refunds:write", "payments:read", "payments:read"]
    assert check_scopes("merchant", asked) == ["payments:read", "refunds:write"]
    assert check_scopes("person", ["wallet"]) == ["wallet"]


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        ("merchant", "operator"),
        ("merchant", "wallet"),
        ("merchant", "payments"),
        ("merchant", "Payments:read"),
        ("person", "payments:read"),
        ("person", "operator"),
        ("operator", "wallet"),
    ],
)
def test_nobody_gets_a_scope_of_another_kind(kind: Kind, scope: str) -> None:
    with pytest.raises(NoSuchScope) as refused:
        check_scopes(kind, [*SCOPES[kind], scope])
    assert refused.value.scope == scope
    assert refused.value.known == tuple(SCOPES[kind])
    assert repr(scope) in refused.value.sentence()


def test_every_scope_says_what_it_allows() -> None:
    for scopes in SCOPES.values():
        assert all(meaning and not meaning.endswith(".") for meaning in scopes.values())


def test_a_listed_key_shows_its_hint_only() -> None:
    key = Key(UUID(int=5), "merchant", UUID(int=6), None, "Till", "x7Qa", ["wallet"], NOON, None)
    shown = msgspec.json.decode(msgspec.json.encode(key_view(key)))
    assert shown == {
        "id": f"key_{UUID(int=5).hex}",
        "name": "Till",
        "hint": "x7Qa",
        "scopes": ["wallet"],
        "created_at": "2026-03-14T12:00:00Z",
        "revoked_at": None,
        "last_used_at": None,
    }
