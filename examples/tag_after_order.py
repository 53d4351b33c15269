"""Tag a customer after an order, as the backend of a shop would.

    export WECOM_APP_URL=http://127.0.0.1:8000
    export WECOM_APP_KEY=wk….…          # wecom-app api-key create shop --scope read --scope write
    python examples/tag_after_order.py wmXXXXXXXX A-1001 童装 新客券

The tags live in the group 订单标签, which is made on first use, as is each tag. The order number is the
Idempotency-Key, so that running the program twice for one order changes nothing the second time.
"""
# ruff: noqa: T201  a program for the terminal prints

import os
import sys
from collections.abc import Sequence
from typing import Any

import requests

GROUP = "behaviour.order"
GROUP_NAME = "订单标签"
TIMEOUT_S = 10


class Api:
    """The application's API with one key; every refusal is a RuntimeError that says what was wrong."""

    def __init__(self, url: str, key: str, session: requests.Session | None = None) -> None:
        self._url = f"{url.rstrip('/')}/api/v1"
        self._session = session or requests.Session()
        self._headers = {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **query: Any) -> Any:
        """Return the answer to a GET."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: Any, *, once: str | None = None) -> Any:
        """Return the answer to a POST; `once` is its Idempotency-Key."""
        headers = {} if once is None else {"Idempotency-Key": once}
        return self._call("POST", path, json=body, headers=headers)

    def _call(self, method: str, path: str, headers: dict[str, str] | None = None, **parts: Any) -> Any:
        answer = self._session.request(
            method, self._url + path, headers={**self._headers, **(headers or {})}, timeout=TIMEOUT_S, **parts
        )
        if answer.status_code >= 400:
            body = answer.json()
            raise RuntimeError(f"{method} {path}: {answer.status_code} {body['error']}: {body['message']}")
        return answer.json()


def ensure_tags(api: Api, names: Sequence[str]) -> list[str]:
    """Return the keys of these tags in the group, making what is missing."""
    group = find_group(api)
    if group is None:
        tags = [{"name": name} for name in names]
        group = api.post("/tag-groups", {"name": GROUP_NAME, "dimension": "behaviour", "key": GROUP, "tags": tags})
    keys = {tag["name"]: tag["key"] for tag in group["tags"]}
    for name in names:
        if name not in keys:
            keys[name] = api.post("/tags", {"name": name, "group": GROUP})["key"]
    return [keys[name] for name in names]


def find_group(api: Api) -> Any:
    """Return the group with its tags, None if it is not there."""
    cursor: dict[str, Any] = {}
    while True:
        page = api.get("/tag-groups", limit=200, **cursor)
        for group in page["items"]:
            if group["key"] == GROUP:
                return group
        if page["next_cursor"] is None:
            return None
        cursor = {"cursor": page["next_cursor"]}


def tag_after_order(api: Api, external_userid: str, order: str, names: Sequence[str]) -> Any:
    """Add the tags to the customer, once for each order."""
    body = {"add": ensure_tags(api, names), "reason": f"订单 {order}"}
    return api.post(f"/customers/{external_userid}/tags", body, once=f"order-{order}")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    external_userid, order, *names = arguments
    api = Api(os.environ["WECOM_APP_URL"], os.environ["WECOM_APP_KEY"])
    try:
        result = tag_after_order(api, external_userid, order, names)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    for tag in result["tags"]:
        print(f"{tag['name']}: {tag['source']['kind']}, {tag['sync']['state']}")
    for skipped in result["skipped"]:
        print(f"{skipped['key']} left as it was: {skipped['reason']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
