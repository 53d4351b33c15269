"""Parts of addresses that several of the sidebar's modules share."""

CUSTOMER = "/customers/<external_userid>"
SERVED = f"/service{CUSTOMER}"
"""A customer whom customer service looks at: from the toolbar of a customer-service chat."""
