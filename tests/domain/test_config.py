"""Settings: what is wrong stops the start and is named, its value never; secrets may stand in files."""

import base64
from pathlib import Path

import pytest

from wecom_app.config import OFFICIAL_API, decode_aes_key, load_settings
from wecom_app.errors import ConfigurationError

KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
OTHER_KEY = base64.b64encode(bytes(range(32, 64))).decode().rstrip("=")
COMPLETE = {
    "WECOM_CORP_ID": "ww5ca1ab1e0ddba11",
    "WECOM_AGENT_ID": "1000002",
    "WECOM_SECRET": "the-secret-of-the-app",
    "WECOM_CALLBACK_TOKEN": "Token1",
    "WECOM_CALLBACK_AES_KEY": KEY,
    "SECRET_KEY": "0123456789abcdef",
}
WRONG = [
    ("WECOM_CORP_ID", "corp id with spaces"),
    ("WECOM_CORP_ID", "x" * 65),
    ("WECOM_AGENT_ID", "agent-one"),
    ("WECOM_AGENT_ID", "0"),
    ("WECOM_AGENT_ID", "-7"),
    ("WECOM_AGENT_ID", "9" * 30),
    ("WECOM_CALLBACK_TOKEN", "ab"),
    ("WECOM_CALLBACK_TOKEN", "x" * 33),
    ("WECOM_CALLBACK_TOKEN", "token-with-dash"),
    ("WECOM_CALLBACK_TOKEN", "Token1,"),
    ("WECOM_CALLBACK_AES_KEY", "A" * 42),
    ("WECOM_CALLBACK_AES_KEY", "A" * 44),
    ("WECOM_CALLBACK_AES_KEY", "*" * 43),
    ("WECOM_CALLBACK_AES_KEY", KEY + "," + "A" * 42),
    ("WECOM_API_BASE_URL", "qyapi.example"),
    ("WECOM_API_BASE_URL", "ftp://qyapi.example"),
    ("WECOM_API_BASE_URL", "https://qyapi.example/other"),
    ("WECOM_API_BASE_URL", "https://user:password@qyapi.example"),
    ("WECOM_API_BASE_URL", "https://qyapi.example:99999"),
    ("WECOM_API_BASE_URL", "https://qyapi.exa℀mple"),
    ("WECOM_API_BASE_URL", "https://[::1"),
    ("WECOM_OAUTH_BASE_URL", "https://qyapi.example?query=1"),
    ("PUBLIC_BASE_URL", "https://#fragment"),
    ("DATABASE_URL", "wecom-app.db"),
    ("DATABASE_URL", "mysql://user:password@127.0.0.1/customers"),
    ("DATABASE_URL", "postgresql://user:password@127.0.0.1:port/customers"),
    ("SECRET_KEY", "fifteen-letters"),
    ("TIME_ZONE", "Mars/Olympus"),
    ("TIME_ZONE", "/etc/localtime"),
    ("TIME_ZONE", "Europe"),
    ("CURRENCY", "yuan"),
    ("CURRENCY", "cny"),
    ("DEMO_MODE", "perhaps"),
    ("GROUP_ROBOT_URL", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?robot=0123456789"),
    ("GROUP_ROBOT_URL", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=short"),
    ("GROUP_ROBOT_URL", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789&debug=1"),
    ("GROUP_ROBOT_URL", "https://qyapi.weixin.qq.com/cgi-bin/gettoken?key=0123456789"),
    ("GROUP_ROBOT_URL", "https://user@qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789"),
    ("GROUP_ROBOT_URL", "https://[::1/cgi-bin/webhook/send?key=0123456789"),
]


def message_of(environment: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment)
    return caught.value.message


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{name}-{number}" for number, (name, _) in enumerate(WRONG)])
def test_a_wrong_value_is_named_and_never_shown(name: str, value: str) -> None:
    message = message_of(COMPLETE | {name: value})

    assert message.startswith(f"设置有误：{name}: ")
    assert value not in message


def test_a_refusal_carries_no_value_in_its_cause_either() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(COMPLETE | {"WECOM_CALLBACK_TOKEN": "canary-token"})

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_all_wrong_settings_are_named_at_once() -> None:
    message = message_of(COMPLETE | {"CURRENCY": "yuan", "TIME_ZONE": "Mars"})

    assert "CURRENCY" in message
    assert "TIME_ZONE" in message


@pytest.mark.parametrize("name", [name for name in COMPLETE if name != "SECRET_KEY"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_setting_of_wecom_is_named(name: str, value: str | None) -> None:
    environment = {key: text for key, text in COMPLETE.items() if key != name}
    settings = load_settings(environment if value is None else environment | {name: value})

    with pytest.raises(ConfigurationError, match=f"缺少设置：{name}（"):
        settings.require_wecom()


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_secret_key_is_named(value: str | None) -> None:
    environment = {key: text for key, text in COMPLETE.items() if key != "SECRET_KEY"}
    settings = load_settings(environment if value is None else environment | {"SECRET_KEY": value})

    with pytest.raises(ConfigurationError, match="缺少设置：SECRET_KEY"):
        settings.require_secret_key()


ROBOT_KEY = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
WEBHOOK = f"/cgi-bin/webhook/send?key={ROBOT_KEY}"


@pytest.mark.parametrize(
    "origin",
    [
        "http://qyapi.weixin.qq.com",
        "https://qyapi.weixin.qq.com.evil.example",
        "https://evil.example",
        "http://169.254.169.254",
        "https://127.0.0.1",
        "https://qyapi.weixin.qq.com:8443",
        "file://qyapi.weixin.qq.com",
    ],
)
def test_a_robot_at_any_other_host_is_refused(origin: str) -> None:
    message = message_of(COMPLETE | {"GROUP_ROBOT_URL": origin + WEBHOOK})

    assert "GROUP_ROBOT_URL" in message
    assert ROBOT_KEY not in message


def test_robots_are_wecoms_own_or_where_all_calls_go() -> None:
    local = "http://127.0.0.1:8001"
    urls = f"{OFFICIAL_API}{WEBHOOK},{local}{WEBHOOK}"
    settings = load_settings(COMPLETE | {"WECOM_API_BASE_URL": local, "GROUP_ROBOT_URL": urls})

    assert [robot.origin for robot in settings.group_robots()] == [OFFICIAL_API, local]
    assert {robot.key for robot in settings.group_robots()} == {ROBOT_KEY}
    assert ROBOT_KEY not in repr(settings)


def test_an_empty_optional_setting_counts_as_not_given() -> None:
    names = (
        "PUBLIC_BASE_URL",
        "WECOM_API_BASE_URL",
        "DATABASE_URL",
        "TIME_ZONE",
        "METRICS_TOKEN",
        "GROUP_ROBOT_URL",
        "SECRET_KEY_FILE",
    )

    assert load_settings(COMPLETE | dict.fromkeys(names, "")) == load_settings(COMPLETE)


def test_nothing_but_the_given_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WECOM_CORP_ID", "wwfromtheprocess")
    (tmp_path / ".env").write_text("CURRENCY=EUR\n")
    monkeypatch.chdir(tmp_path)

    settings = load_settings({})

    assert (settings.wecom_corp_id, settings.currency) == (None, "CNY")


def test_the_process_environment_goes_before_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# written by hand\nCURRENCY=EUR\nTIME_ZONE='Europe/Paris'\nPUBLIC_BASE_URL=\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CURRENCY", "USD")

    settings = load_settings()

    assert (settings.currency, settings.time_zone, settings.public_base_url) == ("USD", "Europe/Paris", None)


def test_the_example_file_is_a_valid_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / ".env.example"
    (tmp_path / ".env").write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert load_settings().time_zone == "Asia/Shanghai"


def test_an_env_file_that_is_not_text_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"CURRENCY=\xff\xfe")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError, match=r"^\.env "):
        load_settings()


def test_a_secret_may_stand_in_a_file_that_the_env_file_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-the-file\n")
    (tmp_path / ".env").write_text(f"WECOM_SECRET_FILE={tmp_path / 'secret'}\n")
    monkeypatch.chdir(tmp_path)

    settings = load_settings()

    assert settings.wecom_secret
    assert settings.wecom_secret.get_secret_value() == "from-the-file"


SECRETS = [
    "WECOM_SECRET",
    "WECOM_CALLBACK_TOKEN",
    "WECOM_CALLBACK_AES_KEY",
    "SECRET_KEY",
    "DATABASE_URL",
    "METRICS_TOKEN",
    "GROUP_ROBOT_URL",
]


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_stand_in_a_file(name: str, tmp_path: Path) -> None:
    others = {"GROUP_ROBOT_URL": f"{OFFICIAL_API}{WEBHOOK}"}
    value = (COMPLETE | others).get(name, "sqlite:///elsewhere.db")
    path = tmp_path / "secret"
    path.write_text(value + "\n")
    environment = {key: text for key, text in COMPLETE.items() if key != name}

    assert load_settings(environment | {f"{name}_FILE": str(path)}) == load_settings(environment | {name: value})


@pytest.mark.parametrize("name", SECRETS)
def test_a_secrets_file_that_is_not_there_is_named(name: str, tmp_path: Path) -> None:
    assert message_of(COMPLETE | {f"{name}_FILE": str(tmp_path / "nothing")}).startswith(f"{name}_FILE ")


def test_a_secrets_file_that_is_not_text_or_empty_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfe\x00")
    assert message_of(COMPLETE | {"WECOM_SECRET_FILE": str(path)}).startswith("WECOM_SECRET_FILE ")

    path.write_bytes(b" \n")
    assert message_of(COMPLETE | {"METRICS_TOKEN_FILE": str(path)}).startswith("METRICS_TOKEN_FILE ")


def test_a_wrong_value_in_a_secrets_file_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("canary")
    message = message_of(COMPLETE | {"SECRET_KEY_FILE": str(path)})

    assert "SECRET_KEY" in message
    assert "canary" not in message


def test_several_callback_key_pairs_belong_together_in_order() -> None:
    environment = {"WECOM_CALLBACK_TOKEN": "Token1, Token2", "WECOM_CALLBACK_AES_KEY": f"{KEY},{OTHER_KEY}"}

    pairs = load_settings(COMPLETE | environment).require_wecom().callback_keys

    assert [(pair.token, pair.aes_key[0]) for pair in pairs] == [("Token1", 0), ("Token2", 32)]


@pytest.mark.parametrize(("tokens", "keys"), [("Token1,Token2", KEY), ("Token1", f"{KEY},{OTHER_KEY}")])
def test_callback_tokens_and_keys_of_different_number_are_refused(tokens: str, keys: str) -> None:
    settings = load_settings(COMPLETE | {"WECOM_CALLBACK_TOKEN": tokens, "WECOM_CALLBACK_AES_KEY": keys})

    with pytest.raises(ConfigurationError, match="WECOM_CALLBACK_TOKEN 与 WECOM_CALLBACK_AES_KEY"):
        settings.require_wecom()


def test_an_aes_key_is_thirty_two_bytes() -> None:
    assert decode_aes_key("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C")[:2] == b"\x8d\x69"
    assert len(decode_aes_key(KEY)) == 32


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://qyapi.example", "https://qyapi.example"),
        ("https://qyapi.example/", "https://qyapi.example"),
        ("https://qyapi.example/cgi-bin", "https://qyapi.example"),
        ("http://127.0.0.1:8001/cgi-bin/", "http://127.0.0.1:8001"),
    ],
)
def test_the_address_of_the_api_is_an_origin(given: str, origin: str) -> None:
    assert load_settings({"WECOM_API_BASE_URL": given}).wecom_api_base_url == origin


def test_without_settings_the_defaults_hold() -> None:
    settings = load_settings({})

    assert settings.wecom_api_base_url == OFFICIAL_API
    assert (settings.time_zone, settings.currency, settings.demo_mode) == ("Asia/Shanghai", "CNY", False)
    assert settings.database_url.startswith("sqlite:///")


@pytest.mark.parametrize("address", [OFFICIAL_API, "https://proxy.example", "http://127.0.0.1.example"])
def test_demo_mode_is_refused_with_anything_but_this_machines_simulator(address: str) -> None:
    assert "DEMO_MODE" in message_of({"DEMO_MODE": "1", "WECOM_API_BASE_URL": address})


def test_demo_mode_works_with_this_machines_simulator() -> None:
    assert load_settings({"DEMO_MODE": "true", "WECOM_API_BASE_URL": "http://127.0.0.1:8001"}).demo_mode


def test_settings_do_not_print_their_secrets() -> None:
    given = {"METRICS_TOKEN": "canary-metrics", "DATABASE_URL": "postgresql://user:canary-password@127.0.0.1/customers"}
    settings = load_settings(COMPLETE | given)
    printed = repr(settings) + str(settings)

    for secret in ("the-secret-of-the-app", "Token1", KEY, "0123456789abcdef", "canary-metrics", "canary-password"):
        assert secret not in printed


def test_an_origin_is_kept_as_browsers_spell_it() -> None:
    settings = load_settings(
        {"PUBLIC_BASE_URL": "https://Tags.Example.com:443/", "WECOM_OAUTH_BASE_URL": "http://[::1]:80"}
    )
    assert (settings.public_base_url, settings.wecom_oauth_base_url) == ("https://tags.example.com", "http://[::1]")
