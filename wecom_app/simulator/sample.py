"""A small made-up company, so that the demo and the page have people in them."""

from wecom_app.simulator.world import World

DEPARTMENTS = ((2, "门店"), (3, "客服部"))
MEMBERS = (
    ("zhangwei", "张伟", 2, "南京路店 导购"),
    ("lina", "李娜", 2, "南京路店 导购"),
    ("wangfang", "王芳", 2, "徐家汇店 导购"),
    ("chenjie", "陈杰", 2, "徐家汇店 店长"),
    ("liuyang", "刘洋", 3, "客服专员"),
    ("zhaomin", "赵敏", 3, "客服主管"),
)
CONSOLE_TAGS = (("客户等级", ("普通", "银卡", "金卡")), ("跟进状态", ("待跟进", "已成交")))


def fill(world: World) -> None:
    """Put the company's departments, members and hand-made tags into an empty world."""
    with world.lock:
        for number, name in DEPARTMENTS:
            world.add_department(number, name)
        for userid, name, department, position in MEMBERS:
            world.add_member(userid, name, department=[department], position=position)
        for group, names in CONSOLE_TAGS:
            for name in names:
                world.add_tag(group, name)
