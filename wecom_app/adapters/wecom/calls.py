"""What the parts of the gateway share: the client, the app's number, and how an answer is read."""

from typing import Any

from wecom_app.adapters.wecom.answers import Reader
from wecom_app.adapters.wecom.apis import Api
from wecom_app.adapters.wecom.client import WeComClient
from wecom_app.adapters.wecom.wire import Json


class Calls:
    """Base of the gateway and of each group of its calls that stands in a module of its own."""

    _client: WeComClient
    _agent_id: int

    def _post(self, api: Api, data: Json) -> Json:
        answer: Json = self._client.post(api.path, data=data)
        return answer

    def _read(self, api: Api, data: Json) -> Reader:
        return self._reader(api, self._post(api, data))

    def _reader(self, api: Api, answer: Any) -> Reader:
        return Reader(api.path, answer)
