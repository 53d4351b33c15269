"""Checks of our own machine: settings, SECRET_KEY, time zone, database and disk."""

from collections.abc import Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from wecom_app.errors import Unavailable
from wecom_app.models import Deployment
from wecom_app.services import disk as disk_room
from wecom_app.services.checkup import Finding, Patient, fail, fine, skip, warn

STRONG_LENGTH = 32
STRONG_VARIETY = 12
"""Different characters; random hex of 32 has about 14."""
LEAST_SHARE = 0.05
CHINA_OFFSET = timedelta(hours=8)
SYNCHRONOUS: Mapping[int, str] = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
FULL = 2


def wecom_settings(patient: Patient) -> Finding:
    """The five settings that WeCom gives are there and well-formed."""
    if patient.wecom is None:
        return fail(patient.problem or "缺少企业微信的设置", "按 .env.example 的说明填写 .env，再运行一次")
    pairs = len(patient.wecom.callback_keys)
    return fine(f"企业 {patient.wecom.corp_id}，应用 {patient.wecom.agent_id}，{pairs} 组回调密钥，格式正确")


def secret_key(patient: Patient) -> Finding:
    """SECRET_KEY seals the stored tokens: whoever guesses it can read them."""
    key = patient.settings.secret_key
    if key is None:
        return fail("缺少 SECRET_KEY", '用 python3 -c "import secrets; print(secrets.token_urlsafe(32))" 生成一个')
    text = key.get_secret_value()
    if len(text) < STRONG_LENGTH or len(set(text)) < STRONG_VARIETY:
        return warn(
            f"SECRET_KEY 较弱（{len(text)} 个字符，其中不同的 {len(set(text))} 个）",
            "换成 32 个字符以上的随机串；换后需重新登录",
        )
    return fine("SECRET_KEY 足够长")


def time_zone(patient: Patient) -> Finding:
    """Business days are counted in this zone; WeCom's own pages show Beijing time."""
    name = patient.settings.time_zone
    here = patient.clock.now().astimezone(ZoneInfo(name))
    if here.utcoffset() != CHINA_OFFSET:
        return warn(
            f"时区为 {name}，现在 {here:%Y-%m-%d %H:%M}，与北京时间不同",
            "如果门店在中国大陆，把 TIME_ZONE 改为 Asia/Shanghai",
        )
    return fine(f"时区为 {name}，现在 {here:%Y-%m-%d %H:%M}")


def database(patient: Patient) -> Finding:
    """The database answers; an SQLite file that is not there yet is no failure."""
    if not patient.is_there():
        return warn(
            "还没有数据库文件", "首次运行 wecom-app serve 时会自动创建；若应已存在，检查 DATABASE_URL 与当前目录"
        )
    try:
        with patient.database.read() as session:
            session.execute(select(1))
    except Unavailable:
        return fail("连不上数据库", "检查 DATABASE_URL、数据库是否在运行，以及文件权限")
    return fine("SQLite 可以读取" if patient.database.is_sqlite else "PostgreSQL 可以连接")


def schema(patient: Patient) -> Finding:
    if not patient.is_current():
        return fail("数据库结构不是当前版本", "运行 wecom-app db upgrade")
    return fine("数据库结构是当前版本")


def writable(patient: Patient) -> Finding:
    """Commit something that changes nothing."""
    try:
        with patient.database.write() as session:
            _touch(session.connection(), sqlite=patient.database.is_sqlite)
    except Unavailable:
        return fail("数据库不能写入：可能被其他程序锁住、磁盘已满或没有写权限", "检查磁盘空间、文件权限与占用它的程序")
    return fine("数据库可以写入")


def journal(patient: Patient) -> Finding:
    """A callback that was answered must survive a power cut: WAL, and every commit on the disk."""
    if not patient.database.is_sqlite:
        return skip("只检查 SQLite")
    with patient.database.write() as session:
        connection = session.connection()
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        synchronous = int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
    saw = f"journal_mode={mode}，synchronous={SYNCHRONOUS.get(synchronous, synchronous)}"
    if mode != "wal" or synchronous < FULL:
        return fail(saw, "把数据库文件放到本机磁盘上：网络盘和部分共享目录不支持 WAL")
    return fine(saw)


def disk(patient: Patient) -> Finding:
    """Room where the SQLite file lies."""
    room = disk_room.room(patient.database)
    if room is None:
        return skip("数据库不在本机文件里")
    saw = f"数据库所在磁盘剩余 {room.free / 2**30:.1f} GB（{room.share:.0%}）"
    if room.share <= LEAST_SHARE:
        return fail(saw, "清理磁盘：写满后系统会拒收回调，并请企业微信稍后重发")
    return warn(saw, "尽快清理磁盘") if room.share < disk_room.LOW_SHARE else fine(saw)


def deployment(patient: Patient) -> Finding:
    """One database serves one corp and one app."""
    assert patient.wecom is not None
    with patient.database.read() as session:
        row = session.execute(select(Deployment)).scalar_one_or_none()
    if row is None:
        return fine("数据库还没有绑定企业，首次启动时绑定")
    if (row.corp_id, row.agent_id) != (patient.wecom.corp_id, patient.wecom.agent_id):
        return fail(
            f"数据库属于企业 {row.corp_id} 的应用 {row.agent_id}，与设置不同",
            "核对 WECOM_CORP_ID、WECOM_AGENT_ID 与 DATABASE_URL；另一个应用请用另一个数据库",
        )
    return fine("数据库属于这个企业与应用")


def _touch(connection: Connection, *, sqlite: bool) -> None:
    if sqlite:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA user_version={int(version)}")
    else:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE doctor_was_here (id integer) ON COMMIT DROP")
