"""Who may have which route: written by hand, one line a route, read by test_authorisation.

A new route needs a line here; without one test_authorisation fails. A line names a rule of RULES; if none fits, write
one: it says for an actor, and for routes about a customer for a customer too, what comes of the request:

    IN       let in (whatever the request itself is worth)
    LOGIN    401: log in first
    REFUSED  403: signed in, and not for him
    HIDDEN   404, the same to the byte as for a customer who does not exist
    MISSING  404 of another kind: no such note, no such act
"""

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

ROUTES: Mapping[str, str] = {
    # Log-in, and what must be reachable without one.
    "GET /": "open",
    "GET /account": "signed in",
    "GET /admin/login": "open",
    "POST /admin/login": "open",
    "GET /auth/wecom": "open",
    "GET /auth/callback": "open",
    "POST /auth/sign-out": "open",
    "GET /auth/signed-out": "open",
    "GET /api/jssdk/signature": "signed in",
    "POST /csp-report": "open",
    "GET /diag": "open",
    "GET /WW_verify_<token>.txt": "open",
    "GET /healthz": "open",
    "GET /readyz": "open",
    "GET /metrics": "open",
    "GET /pictures/<sha256>": "open",
    "GET /static/<path:filename>": "open",
    "GET /wecom/callback": "open",
    "POST /wecom/callback": "open",
    # The sidebar.
    "GET /sidebar": "signed in",
    "GET /sidebar/content": "signed in",
    "GET /sidebar/customers/<external_userid>": "customer: view",
    "GET /sidebar/customers/<external_userid>/tags/<key>": "customer: view",
    "GET /sidebar/customers/<external_userid>/timeline": "customer: view",
    "GET /sidebar/customers/<external_userid>/sheet": "customer: edit",
    "POST /sidebar/customers/<external_userid>/tags": "customer: edit",
    "POST /sidebar/customers/<external_userid>/follow-ups": "customer: edit as a member",
    "PUT /sidebar/customers/<external_userid>/fields": "customer: edit",
    "POST /sidebar/customers/<external_userid>/remark": "customer: edit",
    "POST /sidebar/customers/<external_userid>/content/<int:item_id>": "customer: send",
    "GET /sidebar/service/customers/<external_userid>": "customer: serve",
    "GET /sidebar/service/customers/<external_userid>/tags/<key>": "customer: serve",
    "GET /sidebar/service/customers/<external_userid>/timeline": "customer: serve",
    "POST /sidebar/service/customers/<external_userid>/content/<int:item_id>": "customer: send as service",
    "GET /sidebar/mine": "signed in",
    "GET /sidebar/mine/today": "signed in",
    "GET /sidebar/mine/list": "signed in",
    "GET /sidebar/mine/filters": "signed in",
    "GET /sidebar/mine/sheet": "signed in",
    "GET /sidebar/mine/deck": "signed in",
    # Each customer of a selection has his own answer: test_mine holds them.
    "POST /sidebar/mine/tags": "signed in",
    "GET /sidebar/mine/customers/<external_userid>": "customer: view",
    "GET /sidebar/mine/customers/<external_userid>/card": "customer: own",
    "POST /sidebar/change-sets/<int:change_set_id>/undo": "own act",
    "PATCH /sidebar/follow-ups/<int:follow_up_id>": "own note",
    "DELETE /sidebar/follow-ups/<int:follow_up_id>": "own note",
    # The console.
    "GET /admin": "console",
    "GET /admin/customers": "console: leaders",
    "GET /admin/customers/<external_userid>": "console: customer",
    "GET /admin/customers/<external_userid>/tags/<key>": "console: customer",
    "GET /admin/customers/<external_userid>/timeline": "console: customer",
    "POST /admin/customers/<external_userid>/change-sets/<int:change_set_id>/undo": "console: write",
    "GET /admin/profile-fields": "console: read",
    "GET /admin/profile-fields/<key>": "console: read",
    "POST /admin/profile-fields/<key>": "console: write",
    "POST /admin/profile-fields/<key>/archive": "console: write",
    "POST /admin/profile-fields/<key>/move": "console: write",
    "POST /admin/profile-fields/<key>/restore": "console: write",
    "GET /admin/profile-fields/new": "console: write",
    "POST /admin/profile-fields/new": "console: write",
    "GET /admin/content": "console: read",
    "GET /admin/content/<int:item_id>": "console: read",
    "POST /admin/content/<int:item_id>": "console: write",
    "POST /admin/content/<int:item_id>/archive": "console: write",
    "POST /admin/content/<int:item_id>/copy": "console: write",
    "POST /admin/content/<int:item_id>/restore": "console: write",
    "POST /admin/content/count": "console: read",
    "POST /admin/content/files": "console: write",
    "GET /admin/content/files/<int:media_id>": "console: read",
    "GET /admin/content/new": "console: write",
    "POST /admin/content/new": "console: write",
    "POST /admin/content/preview": "console: read",
    "GET /admin/content/tags": "console: read",
    "POST /admin/content/try": "console: read",
    "GET /admin/tags": "console: read",
    "GET /admin/tags/dimensions": "console: read",
    "POST /admin/tags/dimensions": "console: write",
    "POST /admin/tags/dimensions/<key>": "console: write",
    "POST /admin/tags/dimensions/<key>/move": "console: write",
    "POST /admin/tags/dimensions/<key>/archive": "console: write",
    "POST /admin/tags/dimensions/<key>/restore": "console: write",
    "GET /admin/tags/export": "console: read",
    "GET /admin/tags/report": "console: read",
    "GET /admin/tags/findings": "console: read",
    "GET /admin/tags/import": "console: write",
    "POST /admin/tags/import": "console: write",
    "POST /admin/tags/import/carry": "console: write",
    "GET /admin/tags/deleted": "console: read",
    "POST /admin/tags/items/<key>/retry": "console: write",
    "POST /admin/tags/items/<key>/recreate": "console: write",
    "GET /admin/tags/items/<key>/deletion": "console: write",
    "POST /admin/tags/items/<key>/deletion": "console: write",
    "POST /admin/tags/groups/<key>/retry": "console: write",
    "POST /admin/tags/groups/<key>/recreate": "console: write",
    "GET /admin/tags/groups/<key>/deletion": "console: write",
    "POST /admin/tags/groups/<key>/deletion": "console: write",
    "GET /admin/tags/groups/new": "console: write",
    "POST /admin/tags/groups/new": "console: write",
    "GET /admin/tags/groups/<key>": "console: read",
    "POST /admin/tags/groups/<key>": "console: write",
    "POST /admin/tags/groups/<key>/tags": "console: write",
    "POST /admin/tags/groups/<key>/move": "console: write",
    "POST /admin/tags/groups/<key>/archive": "console: write",
    "POST /admin/tags/groups/<key>/restore": "console: write",
    "GET /admin/tags/changes": "console: read",
    "GET /admin/tags/changes/<int:change_id>": "console: read",
    "GET /admin/tags/changes/<int:change_id>/progress": "console: read",
    "POST /admin/tags/changes/<int:change_id>/undo": "console: write",
    "GET /admin/tags/items/<key>/merge": "console: write",
    "POST /admin/tags/items/<key>/merge": "console: write",
    "GET /admin/tags/groups/<key>/single": "console: read",
    "POST /admin/tags/groups/<key>/single": "console: write",
    "GET /admin/tags/groups/<key>/mirror": "console: read",
    "POST /admin/tags/groups/<key>/mirror": "console: write",
    "GET /admin/tags/items/<key>": "console: read",
    "POST /admin/tags/items/<key>": "console: write",
    "POST /admin/tags/items/<key>/move": "console: write",
    "POST /admin/tags/items/<key>/archive": "console: write",
    "POST /admin/tags/items/<key>/restore": "console: write",
    "GET /admin/roles": "console: read",
    "GET /admin/roles/<int:staff_id>": "console: read",
    "POST /admin/roles/<int:staff_id>": "console: write",
    "GET /admin/sync": "console",
    "POST /admin/sync/start": "console: operate",
    "GET /admin/sync/sources": "console",
    "POST /admin/sync/sources": "console: operate",
    "GET /admin/sync/sources/preview": "console",
    "POST /admin/sync/push": "console: operate",
    "POST /admin/sync/revive": "console: operate",
    "GET /admin/sync/runs/<int:run_id>": "console",
    "GET /admin/sync/runs/<int:run_id>/progress": "console",
    "POST /admin/sync/runs/<int:run_id>/approve": "console: operate",
    "POST /admin/sync/runs/<int:run_id>/reject": "console: operate",
    "POST /admin/sync/runs/<int:run_id>/stop": "console: operate",
    "POST /admin/sync/runs/<int:run_id>/resume": "console: operate",
    "POST /admin/sync/runs/<int:run_id>/undo": "console: operate",
    "GET /admin/conflicts": "console: read",
    "POST /admin/conflicts": "console: write",
    "GET /admin/schedules": "console: operate",
    "GET /admin/schedules/<int:schedule_id>": "console: operate",
    "POST /admin/schedules/<int:schedule_id>": "console: operate",
    "GET /admin/schedules/<int:schedule_id>/last-run": "console: operate",
    "POST /admin/schedules/<int:schedule_id>/pause": "console: operate",
    "POST /admin/schedules/<int:schedule_id>/remove": "console: operate",
    "POST /admin/schedules/<int:schedule_id>/restore": "console: operate",
    "POST /admin/schedules/<int:schedule_id>/resume": "console: operate",
    "POST /admin/schedules/<int:schedule_id>/run": "console: operate",
    "POST /admin/schedules/<int:schedule_id>/stop": "console: operate",
    "GET /admin/schedules/new": "console: operate",
    "POST /admin/schedules/new": "console: operate",
    "GET /admin/schedules/preview": "console: operate",
    # The API.
    "GET /api/v1/openapi.json": "key: none",
    "GET /api/v1/alerts": "key: read",
    "GET /api/v1/bot/cards": "key: read",
    "GET /api/v1/bot/settings": "key: read",
    "PATCH /api/v1/bot/settings": "key: admin",
    "POST /api/v1/change-sets/<int:change_set_id>/undo": "key: write",
    "GET /api/v1/channels": "key: read",
    "POST /api/v1/channels": "key: write",
    "GET /api/v1/channels/<int:channel_id>": "key: read",
    "PATCH /api/v1/channels/<int:channel_id>": "key: write",
    "POST /api/v1/channels/<int:channel_id>/archive": "key: write",
    "POST /api/v1/channels/<int:channel_id>/restore": "key: write",
    "GET /api/v1/channels/<int:channel_id>/remarks": "key: read",
    "GET /api/v1/channels/unknown-states": "key: read",
    "POST /api/v1/channels/adopt": "key: write",
    "POST /api/v1/channels/adopt/preview": "key: read",
    "GET /api/v1/content": "key: read",
    "POST /api/v1/content": "key: write",
    "GET /api/v1/content/<int:item_id>": "key: read",
    "PATCH /api/v1/content/<int:item_id>": "key: write",
    "GET /api/v1/content/<int:item_id>/use": "key: read",
    "POST /api/v1/content/<int:item_id>/archive": "key: write",
    "POST /api/v1/content/<int:item_id>/copy": "key: write",
    "POST /api/v1/content/<int:item_id>/restore": "key: write",
    "POST /api/v1/content/preview": "key: read",
    "GET /api/v1/customers": "key: read",
    "GET /api/v1/customers/<external_userid>": "key: read",
    "GET /api/v1/customers/<external_userid>/history": "key: read",
    "POST /api/v1/customers/<external_userid>/tags": "key: write",
    "POST /api/v1/customers/<external_userid>/revive": "key: write",
    "GET /api/v1/profile-fields": "key: read",
    "POST /api/v1/profile-fields": "key: write",
    "PUT /api/v1/profile-fields/order": "key: write",
    "PATCH /api/v1/profile-fields/<key>": "key: write",
    "POST /api/v1/profile-fields/<key>/archive": "key: write",
    "POST /api/v1/profile-fields/<key>/restore": "key: write",
    "GET /api/v1/customers/<external_userid>/fields": "key: read",
    "PUT /api/v1/customers/<external_userid>/fields": "key: write",
    "GET /api/v1/customers/<external_userid>/fields/history": "key: read",
    "GET /api/v1/dimensions": "key: read",
    "POST /api/v1/dimensions": "key: write",
    "PUT /api/v1/dimensions/order": "key: write",
    "PATCH /api/v1/dimensions/<key>": "key: write",
    "POST /api/v1/dimensions/<key>/archive": "key: write",
    "POST /api/v1/dimensions/<key>/restore": "key: write",
    "GET /api/v1/inbox": "key: read",
    "GET /api/v1/inbox/<int:event_id>": "key: read",
    "POST /api/v1/inbox/<int:event_id>/replay": "key: write",
    "GET /api/v1/jobs": "key: read",
    "GET /api/v1/jobs/<int:job_id>": "key: read",
    "POST /api/v1/jobs/<int:job_id>/cancel": "key: write",
    "POST /api/v1/jobs/<int:job_id>/replay": "key: write",
    "POST /api/v1/jobs/replay": "key: write",
    "POST /api/v1/media": "key: write",
    "GET /api/v1/media/<int:media_id>": "key: read",
    "GET /api/v1/media/<int:media_id>/content": "key: read",
    "GET /api/v1/schedules": "key: read",
    "POST /api/v1/schedules": "key: write",
    "GET /api/v1/schedules/<int:schedule_id>": "key: read",
    "PATCH /api/v1/schedules/<int:schedule_id>": "key: write",
    "POST /api/v1/schedules/<int:schedule_id>/pause": "key: write",
    "POST /api/v1/schedules/<int:schedule_id>/remove": "key: write",
    "POST /api/v1/schedules/<int:schedule_id>/restore": "key: write",
    "POST /api/v1/schedules/<int:schedule_id>/resume": "key: write",
    "POST /api/v1/schedules/<int:schedule_id>/run": "key: write",
    "GET /api/v1/schedules/<int:schedule_id>/runs": "key: read",
    "POST /api/v1/schedules/<int:schedule_id>/stop": "key: write",
    "GET /api/v1/schedules/kinds": "key: read",
    "GET /api/v1/schedules/preview": "key: read",
    "GET /api/v1/sync/conflicts": "key: read",
    "POST /api/v1/sync/conflicts/settle": "key: write",
    "GET /api/v1/sync/failures": "key: read",
    "GET /api/v1/sync/runs": "key: read",
    "POST /api/v1/sync/runs": "key: write",
    "GET /api/v1/sync/runs/<int:run_id>": "key: read",
    "GET /api/v1/sync/runs/<int:run_id>/items": "key: read",
    "POST /api/v1/sync/runs/<int:run_id>/approve": "key: write",
    "POST /api/v1/sync/runs/<int:run_id>/reject": "key: write",
    "POST /api/v1/sync/runs/<int:run_id>/stop": "key: write",
    "POST /api/v1/sync/runs/<int:run_id>/resume": "key: write",
    "POST /api/v1/sync/runs/<int:run_id>/undo": "key: write",
    "GET /api/v1/sync/sources": "key: read",
    "POST /api/v1/sync/sources": "key: write",
    "GET /api/v1/sync/drift": "key: read",
    "POST /api/v1/sync/revive": "key: write",
    "GET /api/v1/tag-groups": "key: read",
    "POST /api/v1/tag-groups": "key: write",
    "PATCH /api/v1/tag-groups/<key>": "key: write",
    "PUT /api/v1/tag-groups/order": "key: write",
    "PUT /api/v1/tag-groups/<key>/order": "key: write",
    "GET /api/v1/tag-groups/<key>/uses": "key: read",
    "POST /api/v1/tag-groups/<key>/archive": "key: write",
    "POST /api/v1/tag-groups/<key>/restore": "key: write",
    "GET /api/v1/tag-groups/<key>/single-preview": "key: read",
    "POST /api/v1/tag-groups/<key>/single": "key: write",
    "GET /api/v1/tag-groups/<key>/mirror-preview": "key: read",
    "POST /api/v1/tag-groups/<key>/mirror": "key: write",
    "GET /api/v1/library-changes": "key: read",
    "GET /api/v1/library-changes/<int:change_id>": "key: read",
    "GET /api/v1/library-changes/<int:change_id>/kept": "key: read",
    "POST /api/v1/library-changes/<int:change_id>/undo": "key: write",
    "GET /api/v1/tags/<key>/merge-preview": "key: read",
    "POST /api/v1/tags/<key>/merge": "key: write",
    "POST /api/v1/tags/<key>/unmerge": "key: write",
    "PATCH /api/v1/tags/<key>": "key: write",
    "GET /api/v1/tags/<key>/uses": "key: read",
    "POST /api/v1/tags/<key>/archive": "key: write",
    "POST /api/v1/tags/<key>/restore": "key: write",
    "GET /api/v1/tags": "key: read",
    "GET /api/v1/tag-groups/<key>/deletion": "key: read",
    "GET /api/v1/tags/<key>/deletion": "key: read",
    "GET /api/v1/tags/deleted": "key: read",
    "POST /api/v1/sync/library/retry": "key: write",
    "POST /api/v1/tag-groups/<key>/deletion": "key: write",
    "POST /api/v1/tag-groups/<key>/recreate": "key: write",
    "POST /api/v1/tag-groups/<key>/retry": "key: write",
    "POST /api/v1/tags/<key>/deletion": "key: write",
    "POST /api/v1/tags/<key>/recreate": "key: write",
    "POST /api/v1/tags/<key>/retry": "key: write",
    "GET /api/v1/tags/report": "key: read",
    "GET /api/v1/tags/export": "key: read",
    "POST /api/v1/tags/import": "key: write",
    "POST /api/v1/tags": "key: write",
    "GET /api/v1/wecom/budget": "key: read",
    "GET /api/v1/welcome/default": "key: read",
    "PUT /api/v1/welcome/default": "key: write",
    # Demo mode only.
    "GET /playground": "not here",
    "POST /playground/act": "not here",
    "GET /playground/as/<userid>": "not here",
    "GET /playground/customers": "not here",
    "GET /playground/customers/<external_userid>": "not here",
    "DELETE /playground/faults": "not here",
    "POST /playground/faults": "not here",
    "GET /playground/now": "not here",
    "POST /playground/scan": "not here",
}

BODIES: Mapping[str, object] = {
    # What passes the shape and changes nothing, so that one cell of the matrix does not spoil the next.
    "POST /sidebar/customers/<external_userid>/tags": {"add": ["no_such_tag"], "version": 0},
    "POST /sidebar/customers/<external_userid>/follow-ups": {"text": ""},
    "PUT /sidebar/customers/<external_userid>/fields": {"values": {}},
    "POST /sidebar/customers/<external_userid>/remark": {},
    "POST /sidebar/customers/<external_userid>/content/<int:item_id>": {"result": "shown"},
    "POST /sidebar/service/customers/<external_userid>/content/<int:item_id>": {"result": "shown"},
    "POST /sidebar/mine/tags": {"customers": ["wm_li"], "add": ["no_such_tag"]},
}
