"""All acts by kind; called by the simulator object, the control side and the page."""

from wecom_app.errors import InvalidInput
from wecom_app.simulator.acts import customers, directory, library, messages
from wecom_app.simulator.acts.act import Act, Handler
from wecom_app.simulator.context import Context
from wecom_app.simulator.errcodes import Json

HANDLERS: dict[str, Handler] = {
    **customers.HANDLERS,
    **directory.HANDLERS,
    **library.HANDLERS,
    **messages.HANDLERS,
}


def perform(context: Context, request: Json) -> Json:
    """Do what `{"as", "kind", …}` says and push the events of it."""
    kind = str(request.get("kind", ""))
    handler = HANDLERS.get(kind)
    if handler is None:
        raise InvalidInput(f"没有这种动作：{kind}", details={"kinds": sorted(HANDLERS)})
    parts = {name: value for name, value in request.items() if name not in {"as", "kind"}}
    with context.world.lock:
        return handler(Act(context, str(request.get("as", "admin")), kind, parts))
