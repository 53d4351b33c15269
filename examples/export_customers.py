"""Write every customer's tags as CSV, one line a tag: who has it, where it came from, whether WeCom agrees.

export WECOM_APP_URL=http://127.0.0.1:8000
export WECOM_APP_KEY=wk….…          # wecom-app api-key create report --scope read
python examples/export_customers.py > customers.csv
"""
# ruff: noqa: T201  a program for the terminal prints

import csv
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import requests

TIMEOUT_S = 30
PAGE = 200
COLUMNS = ("external_userid", "name", "state", "members", "tag", "key", "source", "set_at", "sync")
RISKY = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula; names are chosen by customers."""


def customers(url: str, key: str, session: requests.Session | None = None) -> Iterator[Any]:
    """Yield every customer, newest first, page by page."""
    with session or requests.Session() as caller:
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            answer = caller.get(
                f"{url.rstrip('/')}/api/v1/customers",
                params=query,
                headers={"Authorization": f"Bearer {key}"},
                timeout=TIMEOUT_S,
            )
            answer.raise_for_status()
            page = answer.json()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]


def rows(customer: Any) -> Iterator[list[str]]:
    """Yield a line for each tag; a customer without tags has one line with the tag left empty."""
    members = " ".join(item["userid"] for item in customer["relations"] if item["lost_at"] is None)
    head = [customer["external_userid"], customer["name"], customer["state"], members]
    if not customer["tags"]:
        yield [*head, "", "", "", "", ""]
    for tag in customer["tags"]:
        source = tag["source"]
        origin = f"{source['kind']}:{source['ref']}" if source["ref"] else source["kind"]
        yield [*head, tag["name"], tag["key"], origin, tag["set_at"], tag["sync"]["state"]]


def export(url: str, key: str, target: TextIO, session: requests.Session | None = None) -> int:
    """Write the file and return how many lines it has below its head."""
    writer = csv.writer(target)
    writer.writerow(COLUMNS)
    count = 0
    for customer in customers(url, key, session):
        for row in rows(customer):
            writer.writerow([f"'{cell}" if cell.startswith(RISKY) else cell for cell in row])
            count += 1
    return count


if __name__ == "__main__":
    written = export(os.environ["WECOM_APP_URL"], os.environ["WECOM_APP_KEY"], sys.stdout)
    print(f"{written} lines", file=sys.stderr)
