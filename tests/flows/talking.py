"""Talking to the app as a member does, by callbacks in and message/send out; used by the tests of the bot."""

from tests.flows.company import Company
from wecom_app.simulator.messages import AppMessage


def sent_to(company: Company, userid: str) -> list[AppMessage]:
    """Return the app's messages that reached a member, oldest first."""
    return [message for message in company.simulator.world.mailbox.messages.values() if userid in message.userids]


def texts_to(company: Company, userid: str) -> list[str]:
    return [message.body["text"]["content"] for message in sent_to(company, userid) if message.msgtype == "text"]


def cards_to(company: Company, userid: str) -> list[AppMessage]:
    return [message for message in sent_to(company, userid) if message.msgtype == "template_card"]


def ask(company: Company, userid: str, words: str) -> str:
    """Have a member write something; return the one answer."""
    before = len(texts_to(company, userid))
    company.simulator.act(userid, "message", text=words)
    company.settle()
    answers = texts_to(company, userid)[before:]
    assert len(answers) == 1, answers
    return answers[0]


def befriend(company: Company, userid: str, name: str, remark: str = "") -> str:
    """Give a member a customer; return his external_userid."""
    external_userid: str = company.simulator.act(userid, "add", name=name, add_way=3)["external_userid"]
    if remark:
        company.simulator.act(userid, "remark", external_userid=external_userid, remark=remark)
    company.settle()
    return external_userid
