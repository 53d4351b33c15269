"""Settings from the environment or `.env`, checked before anything starts; read by every command.

Each secret may also be given as `NAME_FILE`, the path of a file that holds it. An empty value counts as not
given. A wrong value raises `ConfigurationError`, whose message names the setting and never shows its value.
"""

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from wecom_app.domain.links import origin_of
from wecom_app.errors import ConfigurationError

OFFICIAL_API = "https://qyapi.weixin.qq.com"
SECRET_NAMES = (
    "WECOM_SECRET",
    "WECOM_CALLBACK_TOKEN",
    "WECOM_CALLBACK_AES_KEY",
    "SECRET_KEY",
    "DATABASE_URL",
    "METRICS_TOKEN",
    "GROUP_ROBOT_URL",
)
WECOM_NAMES = (
    "WECOM_CORP_ID",
    "WECOM_AGENT_ID",
    "WECOM_SECRET",
    "WECOM_CALLBACK_TOKEN",
    "WECOM_CALLBACK_AES_KEY",
)
MIN_SECRET_KEY_LENGTH = 16
DATABASES = ("sqlite", "postgresql")
ENV_FILE = ".env"
ROBOT_PATH = "/cgi-bin/webhook/send"
ROBOT_FORM = f"each must be a webhook address such as {OFFICIAL_API}{ROBOT_PATH}?key=…"


@dataclass(frozen=True)
class CallbackKey:
    """One receiver's key pair: `token` signs, `aes_key` (32 bytes) decrypts."""

    token: str
    aes_key: bytes


def _origin(value: str) -> str:
    try:
        parts = urlsplit(value.strip())
        _ = parts.port
    except ValueError:
        raise ValueError("must be a valid address such as https://example.com") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http(s) origin such as https://example.com")
    path = parts.path.rstrip("/").removesuffix("/cgi-bin")
    # Browsers spell an origin in one way only, and ours is compared with what they send.
    found = origin_of(f"{parts.scheme}://{parts.netloc}")
    if path or parts.query or parts.fragment or found is None:
        raise ValueError("must be an origin without path, query or credentials")
    return found


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be an IANA time zone such as Asia/Shanghai") from error
    return value


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("must be a three-letter currency code such as CNY")
    return value


def _domain_proof(value: str) -> str:
    if not re.fullmatch(r"WW_verify_[A-Za-z0-9]{4,64}\.txt", value):
        raise ValueError("must be the name of the file from the admin console (WW_verify_….txt)")
    return value


def _corp_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{4,64}", value):
        raise ValueError("must be the corp id from the admin console (ww…)")
    return value


def _database_url(value: str) -> str:
    try:
        known = make_url(value).get_backend_name() in DATABASES
    except (ArgumentError, ValueError):
        known = False
    if not known:
        raise ValueError("must be sqlite:///path or postgresql://user:password@host/name")
    return value


def _callback_tokens(value: SecretStr) -> SecretStr:
    for token in _split(value):
        if not re.fullmatch(r"[A-Za-z0-9]{3,32}", token):
            raise ValueError("each token must be 3 to 32 letters and digits")
    return value


def _callback_aes_keys(value: SecretStr) -> SecretStr:
    for encoded in _split(value):
        decode_aes_key(encoded)
    return value


def _secret_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < MIN_SECRET_KEY_LENGTH:
        raise ValueError(f"must have at least {MIN_SECRET_KEY_LENGTH} characters")
    return value


def decode_aes_key(encoded: str) -> bytes:
    """Return the 32 bytes behind a 43-character EncodingAESKey; raise ValueError for anything else."""
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}", encoded):
        raise ValueError("each EncodingAESKey must be 43 letters and digits")
    try:
        key = base64.b64decode(encoded + "=", validate=True)
    except binascii.Error as error:
        raise ValueError("each EncodingAESKey must be valid base64") from error
    return key


def _robot_urls(value: SecretStr) -> SecretStr:
    for url in _split(value):
        _robot(url)
    return value


def _robot(url: str) -> "RobotSettings":
    """Read a webhook address as the group shows it; raise ValueError for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(ROBOT_FORM) from None
    key = re.fullmatch(r"key=([0-9A-Za-z-]{8,64})", parts.query)
    if parts.path != ROBOT_PATH or key is None or parts.fragment or parts.username:
        raise ValueError(ROBOT_FORM)
    return RobotSettings(f"{parts.scheme}://{parts.netloc}", key[1])


def _split(value: SecretStr) -> list[str]:
    return [part.strip() for part in value.get_secret_value().split(",")]


Origin = Annotated[str, AfterValidator(_origin)]
Days = Annotated[int, Field(ge=1, le=3650)]


class Settings(BaseModel):
    """All settings; those of WeCom may be missing until `require_wecom` is called."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    wecom_corp_id: Annotated[str, AfterValidator(_corp_id)] | None = None
    wecom_agent_id: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    wecom_secret: SecretStr | None = None
    wecom_callback_token: Annotated[SecretStr, AfterValidator(_callback_tokens)] | None = None
    wecom_callback_aes_key: Annotated[SecretStr, AfterValidator(_callback_aes_keys)] | None = None
    wecom_api_base_url: Origin = OFFICIAL_API
    wecom_oauth_base_url: Origin | None = None
    database_url: Annotated[str, AfterValidator(_database_url), Field(repr=False)] = "sqlite:///var/wecom-app.db"
    secret_key: Annotated[SecretStr, AfterValidator(_secret_key)] | None = None
    public_base_url: Origin | None = None
    wecom_domain_proof: Annotated[str, AfterValidator(_domain_proof)] | None = None
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "Asia/Shanghai"
    currency: Annotated[str, AfterValidator(_currency)] = "CNY"
    metrics_token: SecretStr | None = None
    group_robot_url: Annotated[SecretStr, AfterValidator(_robot_urls)] | None = None
    inbox_body_days: Days = 30
    """A handled callback keeps its text so long; what must still be handled keeps it."""
    inbox_digest_days: Days = 400
    """A callback is known again so long; then its row goes."""
    api_call_days: Days = 14
    wecom_tag_limit: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Most enterprise tags of a corp; WeCom's refusal (40126) counts before it."""
    audit_days: Days = 1095
    """The audit trail is kept so long."""
    trusted_proxies: Annotated[int, Field(ge=0, le=8)] = 0
    """How many proxies stand in front; only so many entries of X-Forwarded-For are believed, from the right."""
    sign_in_confirm_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    """A sidebar opened later than that after the last proof asks WeCom again, without a word, who holds the client."""
    demo_mode: bool = False

    def require_wecom(self) -> "WeComSettings":
        """Return the WeCom settings, all present; raise ConfigurationError naming each missing one."""
        missing = [name for name in WECOM_NAMES if getattr(self, name.lower()) is None]
        if missing:
            raise ConfigurationError(f"缺少设置：{'、'.join(missing)}（见 .env.example）")
        assert self.wecom_corp_id
        assert self.wecom_agent_id
        assert self.wecom_secret
        return WeComSettings(
            corp_id=self.wecom_corp_id,
            agent_id=self.wecom_agent_id,
            secret=self.wecom_secret.get_secret_value(),
            callback_keys=self._callback_keys(),
            api_base_url=self.wecom_api_base_url,
        )

    def group_robots(self) -> "tuple[RobotSettings, ...]":
        """Return the group robots; raise ConfigurationError for one that is not WeCom's own.

        A message goes to WeCom's host over https or to the host that every other call goes to, so that nothing
        in a setting can make us call into the company's own network.
        """
        if self.group_robot_url is None:
            return ()
        robots = tuple(_robot(url) for url in _split(self.group_robot_url))
        if any(robot.origin not in (OFFICIAL_API, self.wecom_api_base_url) for robot in robots):
            raise ConfigurationError(f"GROUP_ROBOT_URL 必须是企业微信的地址：以 {OFFICIAL_API} 开头")
        return robots

    def require_secret_key(self) -> str:
        """Return SECRET_KEY; raise ConfigurationError where it is not set."""
        if self.secret_key is None:
            raise ConfigurationError("缺少设置：SECRET_KEY（至少 16 个字符的随机串，见 .env.example）")
        return self.secret_key.get_secret_value()

    def _callback_keys(self) -> tuple[CallbackKey, ...]:
        assert self.wecom_callback_token
        assert self.wecom_callback_aes_key
        tokens, keys = _split(self.wecom_callback_token), _split(self.wecom_callback_aes_key)
        if len(tokens) != len(keys):
            raise ConfigurationError(
                "WECOM_CALLBACK_TOKEN 与 WECOM_CALLBACK_AES_KEY 的个数不一致：用逗号分隔时必须一一对应"
            )
        return tuple(CallbackKey(token, decode_aes_key(key)) for token, key in zip(tokens, keys, strict=True))


@dataclass(frozen=True)
class WeComSettings:
    """What is needed to talk to WeCom; never logged."""

    corp_id: str
    agent_id: int
    secret: str
    callback_keys: tuple[CallbackKey, ...]
    api_base_url: str


@dataclass(frozen=True)
class RobotSettings:
    """A group robot's address; whoever has the key may write into the group."""

    origin: str
    key: str = field(repr=False)


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the checked settings from `environment` (default: `.env` and the process's own, which goes first)."""
    source = _read_environment() if environment is None else environment
    given = {name: value for name, value in source.items() if value.strip()}
    values = {**given, **_secrets_from_files(given)}
    fields = {name: values[name.upper()] for name in Settings.model_fields if name.upper() in values}
    try:
        settings = Settings.model_validate(fields)
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None
    if settings.demo_mode and urlsplit(settings.wecom_api_base_url).hostname not in (
        "127.0.0.1",
        "localhost",
    ):
        raise ConfigurationError("DEMO_MODE 只能与本机模拟器一起使用：WECOM_API_BASE_URL 必须指向 127.0.0.1")
    settings.group_robots()
    return settings


def _read_environment() -> dict[str, str]:
    try:
        written = DotEnvSettingsSource(BaseSettings, ENV_FILE, "utf-8", case_sensitive=True).env_vars
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"{ENV_FILE} 无法读取：{_reason(error)}") from None
    return {**{name: value for name, value in written.items() if value is not None}, **os.environ}


def _secrets_from_files(source: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name in SECRET_NAMES:
        path = source.get(f"{name}_FILE")
        if path is None:
            continue
        try:
            found[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise ConfigurationError(f"{name}_FILE 指向的文件无法读取：{_reason(error)}") from None
        if not found[name]:
            raise ConfigurationError(f"{name}_FILE 指向的文件是空的")
    return found


def _reason(error: OSError | UnicodeError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "不是 UTF-8 文本"


def _explain(error: ValidationError) -> str:
    """Name each wrong setting and what it must look like; the input stays out of the text."""
    lines = [
        f"{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_input=False, include_url=False)
    ]
    return "设置有误：" + "；".join(lines)
