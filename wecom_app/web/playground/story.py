"""What happened under the hood, as lines of plain Chinese in order: both sides' records of one customer, merged."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from wecom_app.domain import xml
from wecom_app.domain.explaining import evidence_sentence, party
from wecom_app.domain.words import OPERATION_WORDS
from wecom_app.services.customer_record import CustomerRecord, Intent, Received
from wecom_app.services.ports import JobView
from wecom_app.services.profiles import HistoryView
from wecom_app.web.playground.corp import Json

CALLBACK, STORED, JOB, CALL, TAG, CHECKED, SENT = range(7)
"""The kinds of lines, in the order in which the lines of one moment happened."""
MARKS = ("推", "存", "办", "调", "签", "核", "发")
GOOD, BAD, WAITING, PLAIN = "good", "bad", "waiting", "plain"
CALLBACK_WORDS: Mapping[str, str] = {
    "add_external_contact": "客户加了{staff}为好友",
    "add_half_external_contact": "客户申请加{staff}，等他通过",
    "edit_external_contact": "{staff}那边改了客户的标签或备注",
    "del_follow_user": "客户删除了{staff}",
    "del_external_contact": "{staff}删除了客户",
}
JOB_WORDS: Mapping[str, str] = {
    "welcome.send": "发欢迎语",
    "event.handle": "处理回调",
    "customer.sync": "让企业微信的标签与这里一致",
}
API_WORDS: Mapping[str, str] = {
    "externalcontact/send_welcome_msg": "发欢迎语",
    "externalcontact/mark_tag": "打标签",
    "externalcontact/get": "查看客户详情",
    "externalcontact/remark": "改客户备注",
}
FAULT_WORDS: Mapping[str, str] = {
    "down": "企业微信断线，没有应答",
    "lost_reply": "企业微信已照做，但回包丢了",
    "silent_ok": "errcode 0，可企业微信什么也没做",
}
FAULT_NEWS: Mapping[str, str] = {
    "down": "企业微信没有应答：要做的事已存好，恢复后自动补上",
    "lost_reply": "企业微信已照做，但回包丢了：不盲目重来，先查清再定",
    "silent_ok": "企业微信说成功，其实没做：读回核对时会发现，再来一次",
}
FAULT_MEANS_BAD = frozenset({"down", "lost_reply"})
NO_ANSWER = "没有收到回答"
ELEMENT_END = re.compile(r"(<xml>|</\w+>)(?=<)")
TAKEN_OFF: Mapping[str, str] = {"manual": "手动去掉", "wecom": "在企业微信里去掉"}
LATER = {"waiting": "排队中", "running": "正在执行"}

NameOf = Callable[[str], str]


@dataclass(frozen=True)
class Line:
    """One thing that happened; `raw` are texts of the wire as (what it is, text)."""

    at: datetime
    kind: int
    id: str
    text: str
    tone: str = PLAIN
    raw: tuple[tuple[str, str], ...] = ()
    news: str = ""
    """One sentence for who has just made it happen; empty where the text itself will do."""
    times: int = 1
    """How often in a row, where the same happened again and again."""

    @property
    def mark(self) -> str:
        return MARKS[self.kind]


@dataclass(frozen=True)
class Sides:
    """What both sides have written down about a customer; `theirs` is the simulator's `about`."""

    ours: CustomerRecord
    theirs: Json
    name_of: NameOf


def tell(sides: Sides) -> list[Line]:
    """Return everything that happened, from old to new."""
    parts = (_callbacks, _stored, _jobs, _calls, _changes, _checks, _sendings)
    lines = sorted((line for part in parts for line in part(sides)), key=lambda line: (line.at, line.kind, line.id))
    alike = groupby(lines, key=lambda line: (line.kind, line.text) if line.kind == CALL else line.id)
    return [_folded(list(group)) for _, group in alike]


def _folded(lines: list[Line]) -> Line:
    """Return lines that say the same as one, with the last of them to open."""
    return replace(lines[-1], at=lines[0].at, id=lines[0].id, times=len(lines))


def moment(text: str) -> datetime:
    """Return a time of the simulator's."""
    return datetime.fromisoformat(text)


def _callbacks(sides: Sides) -> Iterable[Line]:
    told: set[int] = set()
    for number, item in enumerate(sides.theirs["callbacks"]):
        again, tone = item["seq"] in told, PLAIN
        told.add(item["seq"])
        what = _callback_words(item, sides.name_of)
        text = f"同一个回调又推来一遍：{what}" if again else f"企业微信推来回调：{what}"
        if item["lost"]:
            text, tone = f"企业微信没有推送这个回调：{what}", BAD
        elif not item["finished"]:
            text, tone = f"回调还在路上：{what}", WAITING
        elif not item["delivered"]:
            text, tone = f"回调推了 {item['tries']} 次都没有成功：{what}", BAD
        at = moment(item["tried_at"] or item["emitted_at"])
        yield Line(at, CALLBACK, f"callback-{item['seq']}-{number}", text, tone, (("解密后的回调", _xml(item)),))


def _callback_words(item: Json, name_of: NameOf) -> str:
    words = CALLBACK_WORDS.get(item["change_type"], item["change_type"] or item["event"])
    fields = xml.parse(item["plaintext"])
    return words.format(staff=name_of(str(fields.get("UserID", ""))))


def _xml(item: Json) -> str:
    return ELEMENT_END.sub(r"\1\n", str(item["plaintext"]))


def _stored(sides: Sides) -> Iterable[Line]:
    for event in sides.ours.events:
        copies = f"，后来的 {event.deliveries - 1} 遍认得出，只记个数" if event.deliveries > 1 else ""
        text = f"先存进数据库（第 {event.id} 号回调）{_answered(event, sides.theirs['callbacks'])}{copies}"
        tone = BAD if event.state == "failed" else PLAIN
        raw = (("我们的记录", f"状态：{event.state}\n收到次数：{event.deliveries}\n错误：{event.error or '无'}"),)
        yield Line(event.received_at, STORED, f"stored-{event.id:09}", text, tone, raw)


def _answered(event: Received, deliveries: Iterable[Json]) -> str:
    for item in deliveries:
        if item["plaintext"] == event.body and item["delivered"]:
            return f"，{_ms(item['took_s'])}后回答 success"
    return ""


def _jobs(sides: Sides) -> Iterable[Line]:
    for job in sides.ours.jobs:
        if job.kind in JOB_WORDS:
            text, tone = _job_words(job)
            raw = (("任务", f"{job.kind} #{job.id}\n{_json(job.args)}\n{job.last_error or ''}".strip()),)
            yield Line(job.created_at, JOB, f"job-{job.id:09}", f"任务「{JOB_WORDS[job.kind]}」{text}", tone, raw)


def _job_words(job: JobView) -> tuple[str, str]:
    if job.state == "done" and job.finished_at is not None:
        tries = f"，试了 {job.attempts} 次" if job.attempts > 1 else ""
        return f"完成，从排队起 {_ms((job.finished_at - job.created_at).total_seconds())}{tries}", PLAIN
    if job.state == "retrying":
        return f"第 {job.attempts} 次没有做成，过一会儿自动再试", WAITING
    if job.state == "dead":
        return "处理失败，等人处理", BAD
    return LATER.get(job.state, job.state), WAITING


def _calls(sides: Sides) -> Iterable[Line]:
    for call in sides.theirs["calls"]:
        words = API_WORDS.get(call["api"], call["api"])
        text = f"调用「{words}{_amount(call)}」：{_outcome(call)}"
        raw = (
            ("请求", f"{call['api']}\n{_json(call['request'])}"),
            ("结果", f"errcode：{call['errcode']}\n用时：{_ms(call['duration_s'])}"),
        )
        news = FAULT_NEWS.get(call["fault"] or "", "")
        yield Line(moment(call["at"]), CALL, f"call-{call['seq']:09}", text, _call_tone(call), raw, news)


def _amount(call: Json) -> str:
    request = call["request"]
    counts = ((request.get("add_tag"), "加"), (request.get("remove_tag"), "去"))
    said = [f"{word} {len(tags)} 个" for tags, word in counts if isinstance(tags, list) and tags]
    return f"（{'，'.join(said)}）" if said else ""


def _outcome(call: Json) -> str:
    found = FAULT_WORDS.get(call["fault"] or "")
    if found is not None:
        return found
    if call["errcode"] is None:
        return NO_ANSWER
    if call["errcode"] == 0:
        return f"errcode 0，{_ms(call['duration_s'])}"
    return f"被拒绝，errcode {call['errcode']}"


def _call_tone(call: Json) -> str:
    return BAD if call["errcode"] != 0 or call["fault"] in FAULT_MEANS_BAD else PLAIN


def _changes(sides: Sides) -> Iterable[Line]:
    """One line for all tags that one act changed alike."""

    def alike(change: HistoryView) -> tuple[int, str, str]:
        return change.change_set_id, change.op, _reason(change, sides.name_of)

    for (_, op, sentence), group in groupby(sides.ours.changes, alike):
        changes = list(group)
        names = "".join(dict.fromkeys(f"「{change.name}」" for change in changes))
        text = f"{OPERATION_WORDS.get(op, op)}标签{names}：{sentence}"
        raw = (("依据", _json([{"key": change.key, **change.evidence} for change in changes])),)
        yield Line(changes[0].at, TAG, f"tag-{changes[0].id:09}", text, GOOD, raw)


def _reason(change: HistoryView, name_of: NameOf) -> str:
    """Say why a tag was put on; for one that went, who or what took it off."""
    kind, evidence = change.source_kind, change.evidence
    if change.op == "add":
        actor = {"userid": change.actor} if change.actor else {}
        return evidence_sentence(kind, change.source_ref, {**actor, **evidence}, name_of)
    who = party(kind, change.source_ref, change.actor, evidence, name_of)
    return f"{who}{TAKEN_OFF.get(kind, '不再要求')}"


def _checks(sides: Sides) -> Iterable[Line]:
    """Reading back is what closes an intent: seen at WeCom, or given up."""

    def alike(intent: Intent) -> tuple[datetime, str]:
        assert intent.closed_at is not None
        return intent.closed_at, intent.state

    ended = [item for item in sides.ours.intents if item.closed_at and item.state in ("verified", "dead")]
    for (at, state), group in groupby(sorted(ended, key=alike), alike):
        intents = list(group)
        names = "".join(dict.fromkeys(f"「{intent.tag}」" for intent in intents))
        text, tone = f"读回核对：{names}在企业微信里与这里一致", GOOD
        if state == "dead":
            text, tone = f"{names}没有推送成功：{intents[0].reason or '企业微信一直没有照做'}", BAD
        yield Line(at, CHECKED, f"checked-{intents[0].id:09}", text, tone)


def _sendings(sides: Sides) -> Iterable[Line]:
    for item in sides.ours.sent:
        text = f"{sides.name_of(item.userid)}把「{item.title}」发给了客户，计入内容统计"
        yield Line(item.at, SENT, f"sent-{item.id:09}", text, GOOD)


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds >= 1:
        return f"{seconds:.1f} 秒"
    return f"{max(1, round(timedelta(seconds=seconds) / timedelta(milliseconds=1)))} 毫秒"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
