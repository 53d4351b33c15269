"""All endpoints by their path below `/cgi-bin/`; read by the gateway."""

from wecom_app.simulator.api import (
    access,
    contact_ways,
    customers,
    directory,
    login,
    mass_messages,
    media,
    messages,
    robots,
    tags,
    transfers,
    welcomes,
)
from wecom_app.simulator.api.endpoint import Endpoint

FAMILIES = (
    access,
    contact_ways,
    customers,
    directory,
    login,
    mass_messages,
    media,
    messages,
    robots,
    tags,
    transfers,
    welcomes,
)

ENDPOINTS: dict[str, Endpoint] = {path: endpoint for family in FAMILIES for path, endpoint in family.ENDPOINTS.items()}
