"""The gateway's calls for the JS-SDK's tickets: get_jsapi_ticket and ticket/get, kept like access tokens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.answers import Reader
from wecom_app.adapters.wecom.apis import Api
from wecom_app.adapters.wecom.calls import Calls
from wecom_app.adapters.wecom.token import Issued, Source, TokenKeeper
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.clock import Clock
from wecom_app.services.ports.sdk_tickets import TicketKind

WAIT_S = 3.0
"""A page waits for its ticket; it says so and tries again rather than hang."""
LIFE_S = 7200


@dataclass(frozen=True)
class TicketApi:
    api: Api
    params: Mapping[str, str] = field(default_factory=dict)


TICKET_APIS = {
    TicketKind.AGENT: TicketApi(apis.APP_TICKET, {"type": "agent_config"}),
    TicketKind.CORP: TicketApi(apis.CORP_TICKET),
}


class TicketCalls(Calls):
    """Implements `services.ports.SdkTickets`."""

    _clock: Clock
    _tickets: Mapping[TicketKind, TokenKeeper]

    def sdk_ticket(self, kind: TicketKind) -> str:
        """Return the kept ticket, or fetch one."""
        return self._tickets[kind].current(Deadline(self._clock, WAIT_S))

    def _keep_tickets(self, keeper: Callable[[str, Source], TokenKeeper]) -> None:
        """Make the keepers, each with a row of its own; `keeper` makes one from a name and a source."""
        self._tickets = {kind: keeper(f"{kind}_ticket", self._source(found)) for kind, found in TICKET_APIS.items()}

    def _source(self, found: TicketApi) -> Source:
        def fetch(deadline: Deadline) -> Issued:
            answer = self._client.get(found.api.path, params=dict(found.params), deadline=deadline, urgent=True)
            reader = Reader(found.api.path, answer)
            return Issued(reader.text("ticket"), float(reader.integer("expires_in") or LIFE_S))

        return fetch
