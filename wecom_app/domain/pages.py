"""Long answers cut into messages that WeCom takes whole; pure."""

from collections.abc import Sequence

from wecom_app.domain.messages import cut_to_bytes

FOOTER = "——\n发“更多”看下一页"
ELLIPSIS = "…"


def paginate(lines: Sequence[str], limit: int) -> list[str]:
    """Return the lines as texts of at most `limit` bytes in UTF-8, each but the last saying that more follows.

    A line is never cut, unless it alone is longer than a message.
    """
    room = limit - len(f"\n{FOOTER}".encode())
    whole = "\n".join(lines)
    if len(whole.encode()) <= limit:
        return [whole]
    pages: list[list[str]] = [[]]
    used = 0
    for line in (_fitting(line, room) for line in lines):
        size = len(line.encode()) + 1
        if pages[-1] and used + size > room + 1:
            pages.append([])
            used = 0
        pages[-1].append(line)
        used += size
    texts = ["\n".join(page) for page in pages]
    return [*(f"{text}\n{FOOTER}" for text in texts[:-1]), texts[-1]]


def _fitting(line: str, room: int) -> str:
    if len(line.encode()) <= room:
        return line
    return cut_to_bytes(line, room - len(ELLIPSIS.encode())) + ELLIPSIS
