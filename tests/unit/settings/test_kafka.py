"""How a client connects, and what it never tells."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from services.errors import ConfigError
from services.kafka.client import PASSWORD_ENV, client_arguments
from services.kafka.topics import Present, TopicDifferenceError, differences, wanted
from services.settings.kafka import KafkaSettings

SASL = KafkaSettings(security="SASL_PLAINTEXT", sasl_username="strikewire")


def test_without_security_nothing_but_the_address_is_needed() -> None:
    assert client_arguments(KafkaSettings(brokers="k1:9092,k2:9092"))["bootstrap_servers"] == "k1:9092,k2:9092"


def test_a_password_comes_from_a_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "kafka-password"
    secret.write_text("open sesame\n")
    monkeypatch.delenv(PASSWORD_ENV, raising=False)
    monkeypatch.setenv(f"{PASSWORD_ENV}_FILE", str(secret))
    assert client_arguments(SASL)["sasl_plain_password"] == "open sesame"


def test_a_missing_password_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_ENV, raising=False)
    monkeypatch.delenv(f"{PASSWORD_ENV}_FILE", raising=False)
    with pytest.raises(ConfigError, match=PASSWORD_ENV):
        client_arguments(SASL)


def test_a_password_has_no_place_in_the_settings_or_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_ENV, "open sesame")
    client_arguments(SASL)
    assert "sesame" not in repr(SASL)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"sasl_password": "open sesame"}, KafkaSettings)


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        client_arguments(KafkaSettings(security="SSL", ca_file=missing))


def test_a_topic_as_the_registry_wants_it_has_no_differences() -> None:
    for one in wanted(KafkaSettings(), 4).values():
        assert differences(one, Present(4, 1, {**one.config, "segment.bytes": "1"})) == []


def test_a_policy_in_another_order_is_the_same_policy() -> None:
    one = wanted(KafkaSettings(), 4)["contexts"]
    config = {**one.config, "cleanup.policy": "delete,compact"}
    assert differences(one, Present(4, 1, config)) == []


def test_each_difference_is_named_with_both_values() -> None:
    one = wanted(KafkaSettings(prefix="p."), 4)["alerts"]
    found = differences(one, Present(8, 1, {**one.config, "retention.ms": "1000"}))
    assert found == [
        "p.alerts has partitions 8, the registry says 4",
        "p.alerts has retention.ms 1000, the registry says 2592000000",
    ]
    assert "nothing was made" in str(TopicDifferenceError(found))


@pytest.mark.parametrize("security", ["PLAINTEXT", "SASL_PLAINTEXT"])
@pytest.mark.parametrize("wish", ["ca_file", "cert_file", "key_file"])
def test_a_file_for_tls_is_no_wish_to_go_without_it(tmp_path: Path, security: str, wish: str) -> None:
    pem = tmp_path / "one.pem"
    pem.write_text("")
    with pytest.raises(ConfigError) as told:
        client_arguments(msgspec.convert({"security": security, wish: str(pem)}, KafkaSettings))
    assert str(told.value) == f"kafka.{wish}: is for TLS, and kafka.security is {security}, not SSL or SASL_SSL"


@pytest.mark.parametrize("security", ["PLAINTEXT", "SSL"])
@pytest.mark.parametrize(("wish", "value"), [("sasl_username", "strikewire"), ("sasl_mechanism", "PLAIN")])
def test_a_user_is_no_wish_to_go_without_a_password(security: str, wish: str, value: str) -> None:
    with pytest.raises(ConfigError) as told:
        client_arguments(msgspec.convert({"security": security, wish: value}, KafkaSettings))
    says = f"is for a password, and kafka.security is {security}, not SASL_SSL or SASL_PLAINTEXT"
    assert str(told.value) == f"kafka.{wish}: {says}"


def test_a_key_belongs_to_a_certificate(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("")
    with pytest.raises(ConfigError, match=r"^kafka\.key_file: .*kafka\.cert_file is empty"):
        client_arguments(KafkaSettings(security="SSL", key_file=str(key)))


def test_of_a_certificate_and_its_key_the_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    certificate = tmp_path / "own.pem"
    certificate.write_text("")
    with pytest.raises(ConfigError, match=r"^kafka\.key_file: .*key\.pem: No such file"):
        client_arguments(KafkaSettings(security="SSL", cert_file=str(certificate), key_file=str(tmp_path / "key.pem")))


@pytest.mark.parametrize("brokers", [
    "localhost:abc", "localhost:99999", "localhost:0", "localhost:-1", "k1:9092,k2:", "k1:9092,", "", ":9092",
    "[::1:9092",
])  # fmt: skip
def test_a_broker_without_an_address_is_named(brokers: str) -> None:
    with pytest.raises(ConfigError, match=r"^kafka\.brokers: .* is not HOST:PORT"):
        client_arguments(KafkaSettings(brokers=brokers))


@pytest.mark.parametrize("brokers", ["k1", "k1:9092, k2:9093", "[::1]:9092", "::1", "10.0.0.7:19092"])
def test_an_address_as_the_client_reads_it_is_left_alone(brokers: str) -> None:
    assert client_arguments(KafkaSettings(brokers=brokers))["bootstrap_servers"] == brokers
