"""Secrets at rest: readable in their own place by a known root secret alone."""

import hashlib
import hmac

import pytest

from app.core.errors import OperatorError
from app.storage.cipher import Cipher, SecretUnreadableError

OLD = "an old root secret of enough characters"
NEW = "the new root secret of enough characters"
PLACE = "webhook:wh_1:secret"
PLAINTEXT = b"whsec_\x00\xff and the rest"


def test_what_was_encrypted_comes_back() -> None:
    cipher = Cipher([NEW])

    token = cipher.encrypt(PLACE, PLAINTEXT)

    assert cipher.decrypt(PLACE, token) == PLAINTEXT


@pytest.mark.parametrize("plaintext", [b"", b"\x00", b"x" * 100_000])
def test_any_bytes_can_be_kept(plaintext: bytes) -> None:
    cipher = Cipher([NEW])

    assert cipher.decrypt("", cipher.encrypt("", plaintext)) == plaintext


def test_a_token_shows_neither_plaintext_nor_place_and_is_new_each_time() -> None:
    cipher = Cipher([NEW])

    first = cipher.encrypt(PLACE, PLAINTEXT)
    second = cipher.encrypt(PLACE, PLAINTEXT)

    assert first != second
    assert b"whsec_" not in first
    assert b"webhook" not in first


def test_a_replaced_root_secret_still_reads_what_it_wrote() -> None:
    token = Cipher([OLD]).encrypt(PLACE, PLAINTEXT)

    assert Cipher([NEW, OLD]).decrypt(PLACE, token) == PLAINTEXT


def test_the_first_root_secret_encrypts() -> None:
    token = Cipher([NEW, OLD]).encrypt(PLACE, PLAINTEXT)

    assert Cipher([NEW]).decrypt(PLACE, token) == PLAINTEXT
    with pytest.raises(SecretUnreadableError):
        Cipher([OLD]).decrypt(PLACE, token)


def test_without_the_old_root_secret_the_error_says_what_to_do() -> None:
    token = Cipher([OLD]).encrypt(PLACE, PLAINTEXT)

    with pytest.raises(SecretUnreadableError) as caught:
        Cipher([NEW]).decrypt(PLACE, token)

    assert "root secret" in caught.value.advice
    assert NEW not in f"{caught.value.detail}{caught.value.advice}"


@pytest.mark.parametrize(
    "other",
    [
        "webhook:wh_2:secret",
        "webhook:wh_1:secre",
        "webhook:wh_1:secrett",
        "webhook:wh_1",
        "",
    ],
)
def test_a_secret_moved_to_another_row_is_noticed(other: str) -> None:
    cipher = Cipher([NEW])
    token = cipher.encrypt(PLACE, PLAINTEXT)

    with pytest.raises(SecretUnreadableError, match="another record"):
        cipher.decrypt(other, token)


def test_a_context_cannot_be_extended_into_the_plaintext() -> None:
    cipher = Cipher([NEW])
    token = cipher.encrypt("webhook:", b"wh_1:secret")

    with pytest.raises(SecretUnreadableError, match="another record"):
        cipher.decrypt("webhook:wh_1:", token)


def test_a_changed_token_is_refused_at_every_byte() -> None:
    cipher = Cipher([NEW])
    token = cipher.encrypt(PLACE, b"x")

    for position in range(len(token)):
        changed = bytearray(token)
        changed[position] ^= 4
        with pytest.raises(SecretUnreadableError):
            cipher.decrypt(PLACE, bytes(changed))


@pytest.mark.parametrize("token", [b"", b"not a token", b"\xff\x00"])
def test_bytes_that_are_no_token_are_refused(token: bytes) -> None:
    with pytest.raises(SecretUnreadableError):
        Cipher([NEW]).decrypt(PLACE, token)


@pytest.mark.parametrize("root_secrets", [[], [""], ["x" * 31], [NEW, "short"]])
def test_a_missing_or_short_root_secret_stops_the_start(
    root_secrets: list[str],
) -> None:
    with pytest.raises(OperatorError):
        Cipher(root_secrets)


def test_a_root_secret_of_the_shortest_length_is_taken() -> None:
    cipher = Cipher(["x" * 32])

    assert cipher.decrypt(PLACE, cipher.encrypt(PLACE, b"y")) == b"y"


def test_a_fingerprint_is_stable_and_one_for_each_secret_and_root() -> None:
    cipher = Cipher([NEW])

    assert cipher.fingerprint("key-1") == Cipher([NEW]).fingerprint("key-1")
    assert cipher.fingerprint("key-1") != cipher.fingerprint("key-2")
    assert cipher.fingerprint("key-1") != Cipher([OLD]).fingerprint("key-1")
    assert "key-1" not in cipher.fingerprint("key-1")


def test_a_key_is_found_under_every_root_secret_the_newest_first() -> None:
    both = Cipher([NEW, OLD])

    found = both.fingerprints("key-1")

    assert found == [
        Cipher([NEW]).fingerprint("key-1"),
        Cipher([OLD]).fingerprint("key-1"),
    ]
    assert both.fingerprint("key-1") == found[0]


def test_a_fingerprint_is_hmac_sha_256_under_a_key_derived_for_it_alone() -> None:
    # RFC 5869 by hand: an empty salt is 32 zero bytes, one block is enough.
    extracted = hmac.digest(bytes(32), NEW.encode(), hashlib.sha256)
    info = b"slipway/key-fingerprint/1\x01"
    derived = hmac.digest(extracted, info, hashlib.sha256)

    expected = hmac.new(derived, b"key-1", hashlib.sha256).hexdigest()

    assert Cipher([NEW]).fingerprint("key-1") == expected


def test_equal_secrets_have_equal_fingerprints_in_one_place_alone() -> None:
    cipher = Cipher([NEW])

    first = cipher.secret_fingerprints("dep_1/primary_key", "weak")

    assert first == cipher.secret_fingerprints("dep_1/primary_key", "weak")
    assert first != cipher.secret_fingerprints("dep_2/primary_key", "weak")
    assert first != cipher.secret_fingerprints("dep_1/primary_key", "other")
    assert first[0] != cipher.fingerprint("weak")


def test_a_secret_is_recognized_after_the_root_secret_was_replaced() -> None:
    [before] = Cipher([OLD]).secret_fingerprints("dep_1/primary_key", "weak")

    now = Cipher([NEW, OLD]).secret_fingerprints("dep_1/primary_key", "weak")

    assert now[0] != before
    assert before in now
