"""What a form says where somebody else has saved first: what stands there now, so that saving again is a decision."""

from collections.abc import Mapping

HEAD = "保存前已被他人修改，所以还没有保存。您写的还在下面，核对后再点一次保存，就以您写的为准"


def problems(now: Mapping[str, str], typed: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Return it by field: the present value of each one in which the two differ."""
    differing = {name: label for name, label in labels.items() if now[name] != typed[name]}
    return {
        "stale": HEAD,
        **{
            name: f"{label}：现在是「{now[name]}」" if now[name] else f"{label}：现在是空的"
            for name, label in differing.items()
        },
    }
