"""What a simulated corp is like; read by every part of the simulator, written by whoever starts it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AppConfig:
    """One self-built app of the corp: its secret, its number and how much it may see."""

    secret: str
    agent_id: int
    name: str = "自建应用"
    visible_members: frozenset[str] | None = None
    """Members in the app's visible range; None means the whole corp."""
    customer_contact: bool = True
    """Whether the app is listed under 客户联系 → 可调用接口的应用."""


@dataclass(frozen=True)
class SimulatorConfig:
    """All settings of the simulator; the defaults suit the demo and the tests."""

    corp_id: str = "ww5ca1ab1e0ddba11"
    corp_name: str = "示例公司"
    agent_id: int = 1000002
    secret: str = "simulator-secret-for-demo-and-tests-only-00"  # noqa: S105  opens this simulator only
    callback_token: str = "SimulatorCallbackToken"  # noqa: S105  opens this simulator only
    callback_aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE"
    callback_url: str | None = None
    base_url: str = "http://127.0.0.1:8001"
    visible_members: frozenset[str] | None = None
    customer_contact: bool = True
    other_apps: tuple[AppConfig, ...] = ()
    trusted_ips: frozenset[str] | None = None
    """企业可信IP; None means the setting is not used and every address may call."""
    trusted_domains: frozenset[str] | None = None
    """Hosts (with port) that log-in may redirect to; None allows all."""
    robot_keys: frozenset[str] = frozenset({"simulator-robot"})

    token_life_s: float = 7200.0
    per_minute: int = 10_000
    per_hour: int = 150_000
    """Tencent's page 90312: 10,000 a minute and 150,000 an hour, per corp and per API."""
    concurrency: int | None = None
    """Calls of one API under way at once before 45033; Tencent does not publish the number."""
    pair_lock: bool = True
    """Two mark_tag at once for one member and customer answer 45035 to the second."""
    tickets_per_hour_app: int = 100
    tickets_per_hour_corp: int = 400
    robot_per_minute: int = 20
    wrong_secrets_per_hour: int = 2000
    """Wrong gettoken parameters within an hour after which gettoken is locked for an hour."""
    tag_limit: int = 10_000
    tags_per_relation: int = 3000
    contact_way_limit: int = 500_000
    contact_way_members: int = 100
    welcome_life_s: float = 20.0
    login_code_life_s: float = 300.0
    media_life_s: float = 3 * 86_400.0
    echo_api_writes: bool = False
    """Whether API writes come back as events; Tencent's page 92130 says they do not."""

    callback_tries: int = 3
    callback_timeout_s: float = 5.0
    callback_retry_s: float = 1.0
    """Pause before the second try, doubled before the third; Tencent does not publish it."""
    callback_threads: int = 16
    control_from_anywhere: bool = False
    """Allow `/_simulator/` and the page to addresses other than loopback."""
    calls_kept: int = 200_000
    seed: int = 20_261

    apps: tuple[AppConfig, ...] = field(init=False)

    def __post_init__(self) -> None:
        main = AppConfig(self.secret, self.agent_id, "客户标签", self.visible_members, self.customer_contact)
        object.__setattr__(self, "apps", (main, *self.other_apps))
