"""The actors of the authorisation tests, whom each of them reaches, and the rules that routes name."""

from collections.abc import Callable, Mapping

IN, LOGIN, REFUSED, HIDDEN, MISSING = "in", "log-in", "refused", "hidden", "missing"

ANONYMOUS = "anonymous"
REPS = ("zhang", "chen", "wang")
"""zhang follows li and half follows ho; chen, of zhang's department, follows mei; wang, of another one, follows hua.
wang and zhang once followed others: wang li, and zhang gone, whom nobody follows any more."""
PEOPLE = (
    *REPS,
    "boss",  # leads the department above zhang's and chen's
    "chief",  # leads wang's department
    "both",  # leads nothing; was given the role leader for zhang's own department
    "nobody",  # a member without customers
    "service here",  # customer service for zhang's and chen's department
    "service there",  # customer service for wang's department
    "service everywhere",
    "scope alone",  # has the whole company as scope, and no role that uses it
    "auditor",
    "ops",
    "admin",  # a member with the role
    "local admin",
)
CUSTOMERS = ("li", "ho", "mei", "hua", "gone", "unknown")
EVERYBODY_KNOWN = frozenset(CUSTOMERS) - {"unknown"}

VIEW: Mapping[str, frozenset[str]] = {
    "zhang": frozenset({"li", "ho"}),
    "chen": frozenset({"mei"}),
    "wang": frozenset({"hua"}),
    "boss": frozenset({"li", "ho", "mei"}),
    "chief": frozenset({"hua"}),
    "both": frozenset({"li", "ho", "mei"}),
    "auditor": EVERYBODY_KNOWN,
    "admin": EVERYBODY_KNOWN,
    "local admin": EVERYBODY_KNOWN,
}
EDIT: Mapping[str, frozenset[str]] = {
    "zhang": frozenset({"li"}),
    "chen": frozenset({"mei"}),
    "wang": frozenset({"hua"}),
    "admin": EVERYBODY_KNOWN,
    "local admin": EVERYBODY_KNOWN,
}
SERVE: Mapping[str, frozenset[str]] = {
    **VIEW,
    "service here": frozenset({"li", "ho", "mei"}),
    "service there": frozenset({"hua"}),
    "service everywhere": EVERYBODY_KNOWN,
}
OWN: Mapping[str, frozenset[str]] = {name: EDIT[name] for name in REPS}
KEYS = ("no key", "read", "write", "ingest", "gate", "admin key", "revoked")

CONSOLE_LEADERS = ("boss", "chief", "both", "admin", "local admin", "auditor")

Rule = Callable[[str, str], str]


def _signed_in(actor: str, _: str) -> str:
    return LOGIN if actor == ANONYMOUS else IN


def _for(*actors: str) -> Rule:
    def rule(actor: str, _: str) -> str:
        if actor == ANONYMOUS:
            return LOGIN
        return IN if actor in actors else REFUSED

    return rule


def _reaching(table: Mapping[str, frozenset[str]]) -> Rule:
    def rule(actor: str, customer: str) -> str:
        if actor == ANONYMOUS:
            return LOGIN
        return IN if customer in table.get(actor, frozenset()) else HIDDEN

    return rule


def _key(*keys: str) -> Rule:
    def rule(actor: str, _: str) -> str:
        if actor in ("no key", "revoked"):
            return LOGIN
        return IN if actor in (*keys, "admin key") else REFUSED

    return rule


def _first(gate: Rule, rule: Rule) -> Rule:
    """Ask one rule, and whom it lets in another."""

    def both(actor: str, customer: str) -> str:
        found = gate(actor, customer)
        return rule(actor, customer) if found == IN else found

    return both


RULES: Mapping[str, Rule] = {
    "open": lambda _actor, _customer: IN,
    "not here": lambda _actor, _customer: MISSING,
    "signed in": _signed_in,
    "console": _for("admin", "local admin", "auditor", "ops"),
    "console: operate": _for("admin", "local admin", "ops"),
    "console: read": _for("admin", "local admin", "auditor"),
    "console: write": _for("admin", "local admin"),
    "console: leaders": _for(*CONSOLE_LEADERS),
    "console: customer": _first(_for(*CONSOLE_LEADERS), _reaching(VIEW)),
    "customer: view": _reaching(VIEW),
    "customer: edit": _reaching(EDIT),
    # The local administrator is nobody's colleague: he may look, and cannot act as a member.
    "customer: edit as a member": lambda actor, customer: (
        REFUSED if actor == "local admin" and customer != "unknown" else _reaching(EDIT)(actor, customer)
    ),
    "customer: send": lambda actor, customer: REFUSED if actor == "local admin" else _reaching(VIEW)(actor, customer),
    "customer: serve": _reaching(SERVE),
    "customer: send as service": lambda actor, customer: (
        REFUSED if actor == "local admin" else _reaching(SERVE)(actor, customer)
    ),
    "customer: own": _reaching(OWN),
    # The note and the act are zhang's, on li.
    "own note": lambda actor, _: LOGIN if actor == ANONYMOUS else (IN if actor == "zhang" else MISSING),
    "own act": lambda actor, _: (
        LOGIN if actor == ANONYMOUS else (IN if actor in ("zhang", "admin", "local admin") else MISSING)
    ),
    "key: none": lambda _actor, _customer: IN,
    "key: read": _key("read"),
    "key: write": _key("write"),
    "key: ingest": _key("ingest"),
    "key: gate": _key("gate"),
    "key: admin": _key(),
}
