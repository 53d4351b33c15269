"""What goes wrong on purpose: rules for API calls, disturbed callbacks, token life, limits, switches.

Set from Python (`sim.faults`) or through `/_simulator/faults`; the same seed gives the same course.
"""

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from types import UnionType
from typing import Any, get_args, get_origin

from wecom_app.clock import Clock
from wecom_app.errors import InvalidInput
from wecom_app.simulator.config import SimulatorConfig

TRANSPORT_KINDS = ("down", "lost_request", "timeout", "http_502", "html")
"""Kinds that strike before WeCom has looked at the call: nothing is done."""
KINDS = (
    *TRANSPORT_KINDS,
    *("errcode", "latency", "lost_reply", "silent_ok", "partial", "partial_lost", "doubled", "circle"),
)


class LostReply(Exception):
    """The connection ended without an answer."""


class TimedOut(Exception):
    """The answer did not come while the caller was waiting."""


@dataclass
class FaultRule:
    """One disturbance of API calls."""

    api: str = "*"
    """Path below `/cgi-bin/`; `*` stands for anything."""
    kind: str = "errcode"
    errcode: int | None = None
    latency_s: float = 0.0
    probability: float = 1.0
    times: int | None = None
    """How many calls it strikes; None for all."""
    for_s: float | None = None
    """How long it lasts from being set; None for ever."""
    applied: bool = False
    """With `errcode` and `timeout`: the call takes effect all the same."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInput(f"没有这种故障：{self.kind}", details={"kind": list(KINDS)})
        if self.kind == "errcode" and self.errcode is None:
            raise InvalidInput("errcode 类故障需要给出 errcode")


@dataclass(frozen=True)
class CallbackFaults:
    """How the delivery of callbacks is disturbed."""

    loss: float = 0.0
    """Share of events that are never sent."""
    duplicates: int = 1
    """How often each event is delivered."""
    reorder: bool = False
    """Due events are sent in random order."""
    hold: bool = False
    """Events wait until this is taken back."""
    delay_s: float = 0.0
    retries: int = 3
    """Tries in all for one delivery."""
    seed: int = 0


@dataclass(frozen=True)
class TokenFaults:
    """How access tokens are disturbed; `invalidate_now` acts once, when it is set."""

    expires_in: float = 7200.0
    invalidate_now: bool = False
    rotate: bool = False
    """Each gettoken ends the token before it."""


@dataclass(frozen=True)
class RateLimits:
    """Windows for each API, of the whole corp."""

    per_minute: int | None = None
    per_hour: int | None = None
    concurrency: int | None = None
    pair_lock: bool = True


@dataclass(frozen=True)
class Settings:
    """Everything that can be switched while the simulator runs."""

    rules: tuple[FaultRule, ...] = ()
    callbacks: CallbackFaults = field(default_factory=CallbackFaults)
    token: TokenFaults = field(default_factory=TokenFaults)
    rates: RateLimits = field(default_factory=RateLimits)
    echo_api_writes: bool = False
    visible_members: frozenset[str] | None = None
    """Members in the first app's visible range; None for the whole corp."""
    customer_contact: bool = True
    """Whether the first app may call the customer APIs (48002 if not)."""
    trusted_ips: frozenset[str] | None = None
    get_page_size: int = 500
    """Followers on one page of externalcontact/get."""
    batch_page_size: int = 100
    """Most relations on one page of batch/get_by_user, whatever limit is asked for."""
    tag_limit: int = 10_000
    used_welcome_errcode: int = 41050
    mass_messages_per_day: int | None = None
    """The console's limit of mass messages to one customer a day."""
    dispatching_s: float = 0.0
    """How long a mass message answers 41063 after it was made."""


@dataclass
class Active:
    """A rule in force, with what is left of it."""

    rule: FaultRule
    random: Random
    until: float | None
    left: int | None


@dataclass(frozen=True)
class Plan:
    """What is to happen to one call."""

    kind: str | None = None
    errcode: int = 0
    latency_s: float = 0.0
    applied: bool = False


NO_FAULT = Plan()


class Faults:
    """The disturbances in force."""

    def __init__(self, config: SimulatorConfig, clock: Clock, kill_tokens: Callable[[], None]) -> None:
        self._clock = clock
        self._kill_tokens = kill_tokens
        self._lock = threading.Lock()
        self._defaults = Settings(
            callbacks=CallbackFaults(retries=config.callback_tries),
            token=TokenFaults(expires_in=config.token_life_s),
            rates=RateLimits(config.per_minute, config.per_hour, config.concurrency, config.pair_lock),
            echo_api_writes=config.echo_api_writes,
            visible_members=config.visible_members,
            customer_contact=config.customer_contact,
            trusted_ips=config.trusted_ips,
            tag_limit=config.tag_limit,
        )
        self.settings = self._defaults
        self._active: list[Active] = []

    def put(self, document: Mapping[str, Any]) -> None:
        """Replace everything: what the document does not name returns to its default."""
        self._apply(self._defaults, document)

    def set(self, **changes: Any) -> None:
        """Change what is named and leave the rest."""
        self._apply(self.settings, changes)

    def add(self, api: str = "*", kind: str = "errcode", **parts: Any) -> None:
        """Add one rule to those in force."""
        rule = _build(FaultRule, {"api": api, "kind": kind, **parts})
        with self._lock:
            self.settings = dataclasses.replace(self.settings, rules=(*self.settings.rules, rule))
            self._active.append(self._activate(rule))

    def clear(self) -> None:
        """Return to an undisturbed WeCom."""
        self.put({})

    def as_dict(self) -> dict[str, Any]:
        """Return the document that `put` takes, with what is left of the rules: strikes and seconds."""
        now = self._clock.monotonic()
        with self._lock:
            document = dataclasses.asdict(self.settings)
            document["rules"] = [
                dataclasses.asdict(active.rule)
                | {"left": active.left, "left_s": None if active.until is None else max(0.0, active.until - now)}
                for active in self._active
            ]
        for name in ("visible_members", "trusted_ips"):
            if document[name] is not None:
                document[name] = sorted(document[name])
        return document

    def plan(self, api: str) -> Plan:
        """Decide what happens to a call; latencies add up, of other kinds the first one strikes."""
        if not self._active:
            return NO_FAULT
        with self._lock:
            self._drop_finished()
            plan = NO_FAULT
            for active in self._active:
                if not fnmatchcase(api, active.rule.api) or not _strikes(active):
                    continue
                plan = _extended(plan, active.rule)
                if plan.kind is not None:
                    break
            return plan

    def _apply(self, base: Settings, document: Mapping[str, Any]) -> None:
        settings = _settings(base, document)
        if settings.token.invalidate_now:
            self._kill_tokens()
            settings = dataclasses.replace(settings, token=dataclasses.replace(settings.token, invalidate_now=False))
        with self._lock:
            if "rules" in document or base is self._defaults:
                self._active = [self._activate(rule) for rule in settings.rules]
            self.settings = settings

    def _activate(self, rule: FaultRule) -> Active:
        until = None if rule.for_s is None else self._clock.monotonic() + rule.for_s
        return Active(rule, Random(rule.seed), until, rule.times)  # noqa: S311  repeatable, not secret

    def _drop_finished(self) -> None:
        now = self._clock.monotonic()
        self._active = [
            active for active in self._active if active.left != 0 and (active.until is None or now < active.until)
        ]


def _strikes(active: Active) -> bool:
    if active.left == 0 or active.random.random() >= active.rule.probability:
        return False
    if active.left is not None:
        active.left -= 1
    return True


def _extended(plan: Plan, rule: FaultRule) -> Plan:
    latency = plan.latency_s + rule.latency_s
    if rule.kind == "latency":
        return dataclasses.replace(plan, latency_s=latency)
    return Plan(rule.kind, rule.errcode or 0, latency, rule.applied)


LEFT = ("left", "left_s")
"""What `as_dict` adds to a rule."""
PARTS: Mapping[str, type[Any]] = {"callbacks": CallbackFaults, "token": TokenFaults, "rates": RateLimits}
SETS = ("visible_members", "trusted_ips")


def _settings(base: Settings, document: Mapping[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name == "rules":
            values[name] = tuple(_build(FaultRule, _without_left(rule)) for rule in _list(name, value))
        elif name in PARTS:
            values[name] = _build(PARTS[name], value, getattr(base, name))
        elif name in SETS:
            values[name] = None if value is None else frozenset(_list(name, value))
        else:
            values[name] = value
    settings: Settings = _build(Settings, values, base)
    return settings


def _without_left(rule: Any) -> Any:
    return {name: value for name, value in rule.items() if name not in LEFT} if isinstance(rule, dict) else rule


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise InvalidInput(f"{name} 应是列表")
    return list(value)


def _build(kind: type[Any], values: Any, base: Any = None) -> Any:
    """Make `kind` from a JSON object, keeping `base`'s other values; what does not fit is refused."""
    if isinstance(values, kind):
        return values
    known = {item.name: item.type for item in dataclasses.fields(kind)}
    if not isinstance(values, Mapping) or not set(known).issuperset(values):
        raise InvalidInput("故障设置里有不认识的项", details={"known": sorted(known)})
    wrong = [name for name, value in values.items() if not _fits(value, known[name])]
    if wrong:
        raise InvalidInput("故障设置里有类型不对的项", details={"wrong": wrong})
    return kind(**values) if base is None else dataclasses.replace(base, **values)


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a JSON value suits a field; fields made of parts are checked where the parts are made."""
    allowed = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    if any(get_origin(item) is not None or dataclasses.is_dataclass(item) for item in allowed):
        return True
    if isinstance(value, bool):
        return bool in allowed
    return isinstance(value, (*allowed, int) if float in allowed else allowed)
