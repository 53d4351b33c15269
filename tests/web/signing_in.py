"""The round trip of a log-in: our redirect, WeCom's page on the simulator, and back, as a browser goes it."""

from urllib.parse import parse_qs, urlsplit

from werkzeug.test import Client, TestResponse

from tests.flows.company import Company
from tests.web.browsing import HTML, Browser

IN_CLIENT = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/108 Safari/537.36 wxwork/4.1.36 MicroMessenger/7.0"
ON_COMPUTER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130 Safari/537.36"


class Person:
    """Somebody at a browser; `holds` is the member whom WeCom takes him for."""

    def __init__(self, company: Company, holds: str = "zhang", agent: str = IN_CLIENT) -> None:
        self.company, self.holds, self.agent = company, holds, agent
        self.browser = Browser(company)
        self.visited: list[str] = []

    def open(self, address: str) -> TestResponse:
        """Open an address of ours without following it any further."""
        parts = urlsplit(address)
        self.visited.append(address)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return self.browser.client.get(path, headers={**HTML, "User-Agent": self.agent})

    def at_wecom(self, address: str) -> str:
        """Go to WeCom's log-in page with a member's phone, and return where it leads."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}" == self.company.simulator.config.base_url
        client = Client(self.company.simulator.wsgi)
        client.set_cookie("simulated_member", self.holds, domain="127.0.0.1")
        answer = client.get(parts.path, query_string=parts.query, base_url=self.company.simulator.config.base_url)
        assert answer.status_code == 302, answer.get_data(as_text=True)
        return answer.headers["Location"]

    def log_in(self, path: str = "/account") -> TestResponse:
        """Open a page, log in on the way, and return what stands at the end."""
        answer = self.open(path)
        for _ in range(12):
            if answer.status_code not in (302, 303):
                return answer
            address = answer.headers["Location"]
            if address.startswith(self.company.simulator.config.base_url):
                address = self.at_wecom(address)
            answer = self.open(address)
        raise AssertionError(f"goes round in circles: {self.visited}")

    def callback(self, path: str = "/account") -> str:
        """Begin a log-in and return the address with which WeCom sends the browser back."""
        begun = self.open(f"/auth/wecom?next={path}")
        return self.at_wecom(begun.headers["Location"])


def query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query, keep_blank_values=True).items()}
