"""Parts of addresses that several of the sidebar's modules share."""

CUSTOMER = "/customers/<external_userid>"
