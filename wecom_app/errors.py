"""Every error that the product raises on purpose, each with its instruction.

    AppError
    ├── InvalidInput 422    NotSignedIn 401    NotAllowed 403    NotFound 404
    │                       NoSession 401      Forged 403        NotInSight 404
    ├── StaleEdit 409       NameTaken 409      Conflict 409      TooMany 429
    ├── CallbackRejected 403                   Unavailable 503 (DatabaseUnreachable)
    ├── ConfigurationError  (stops the start)
    └── WeComError
        ├── WeComUnavailable  retry            WeComThrottled    retry after a while
        ├── WeComMisconfigured  a person must act
        ├── WeComGone         the thing named is not there any more
        ├── WeComTagGone      one of the tags named is not there any more
        ├── WelcomeTooLate    WelcomeTaken      LoginCodeRefused
        └── WeComRejected     any other definite refusal

`code` is for programs, `message` is Chinese and tells a person what to do next, `http_status` is what
the API answers, and `retryable` tells the worker whether trying again can help.
"""

from collections.abc import Mapping


class AppError(Exception):
    """Base of all; subclasses set the three instructions as class attributes."""

    code = "internal_error"
    http_status = 500
    retryable = False
    retry_after_s: float | None = None
    """How long to wait before trying again; None leaves it to the worker's back-off."""
    default_message = "系统出错，请稍后再试；如一直出现，请把请求编号发给管理员"

    def __init__(self, message: str | None = None, *, details: Mapping[str, object] | None = None) -> None:
        self.message = message or self.default_message
        self.details = dict(details) if details else None
        super().__init__(self.message)


class InvalidInput(AppError):
    """The caller's data cannot be taken; `details` says which fields and why."""

    code = "invalid_input"
    http_status = 422
    default_message = "提交的内容有误，请按提示修改"


class NotSignedIn(AppError):
    code = "not_signed_in"
    http_status = 401
    default_message = "请提供有效的接口密钥：Authorization: Bearer …"


class NoSession(NotSignedIn):
    """No browser session, or one that has ended; a page leads to the log-in instead."""

    default_message = "登录已失效，请重新登录"


class ConfirmIdentity(NoSession):
    """The session holds, but WeCom must say again who holds the client."""

    default_message = "需要重新确认身份，请重新打开页面"


class NotAllowed(AppError):
    code = "not_allowed"
    http_status = 403
    default_message = "没有权限进行此操作"


class Forged(NotAllowed):
    """A request that our own pages cannot have sent: foreign origin, or no proof that it was meant."""

    code = "forged_request"
    default_message = "页面已过期或请求来源不正确，请刷新页面后重试"


class NotFound(AppError):
    code = "not_found"
    http_status = 404
    default_message = "没有找到"


class NotInSight(NotFound):
    """A customer who does not exist or is not the viewer's to see; its answer is the same to the byte."""

    default_message = "没有找到这位客户，或他不在你的查看范围内"


class Conflict(AppError):
    """The request collides with something that is there or under way."""

    code = "conflict"
    http_status = 409
    default_message = "与现有数据冲突，请刷新后重试"


class StaleEdit(Conflict):
    """The edit was made on a version that is not the present one."""

    code = "stale_edit"
    default_message = "内容已被他人修改，请刷新后再改"


class NameTaken(Conflict):
    code = "name_taken"
    default_message = "名称已被使用，请换一个"


class TooMany(AppError):
    code = "too_many"
    http_status = 429
    retryable = True
    default_message = "请求过于频繁，请稍后再试"


class CallbackRejected(AppError):
    """A callback that is not provably from WeCom; `reason` is for diagnostics only, never answered."""

    code = "callback_rejected"
    http_status = 403

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Unavailable(AppError):
    """Our own store could not be reached in time; nothing was changed."""

    code = "unavailable"
    http_status = 503
    retryable = True
    default_message = "系统繁忙，数据未保存，请稍后重试"


class DatabaseUnreachable(Unavailable):
    """The database cannot be opened at all; `advice` names the setting, for whoever runs the system.

    Callers of the API learn only that nothing was saved.
    """

    def __init__(self, advice: str) -> None:
        super().__init__()
        self.advice = advice


class ConfigurationError(AppError):
    """A setting or the environment is wrong; the message names it, never its value."""

    code = "configuration_error"


class WeComError(AppError):
    """WeCom refused or could not be reached; `errcode` is WeCom's number, None for a transport failure."""

    code = "wecom_error"
    http_status = 502
    default_message = "企业微信接口返回错误"

    @property
    def had_no_effect(self) -> bool:
        """Whether WeCom surely did nothing, so that asking again cannot do a thing twice."""
        return False

    def __init__(
        self,
        message: str | None = None,
        *,
        api: str = "",
        errcode: int | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, details=details)
        self.api = api
        self.errcode = errcode

    def __str__(self) -> str:
        return f"{self.code}: {self.api} errcode={self.errcode}: {self.message}"


class WeComUnavailable(WeComError):
    """No believable answer: network, time-out, HTTP 5xx, not JSON, or errcode -1. The outcome is unknown."""

    settle_s = 2.0
    """How long the request may still be carried out at WeCom; 0 where it never left this machine."""

    code = "wecom_unavailable"
    retryable = True
    default_message = "暂时连不上企业微信，系统会自动重试"

    @property
    def had_no_effect(self) -> bool:
        return not self.settle_s


class WeComThrottled(WeComError):
    """Over a limit of WeCom's or of our own budget; try again after `retry_after_s` seconds."""

    code = "wecom_throttled"
    http_status = 503
    retryable = True
    default_message = "企业微信接口调用已达上限，系统会稍后自动继续"

    @property
    def had_no_effect(self) -> bool:
        return True

    def __init__(
        self,
        message: str | None = None,
        *,
        api: str = "",
        errcode: int | None = None,
        retry_after_s: float = 60.0,
    ) -> None:
        super().__init__(message, api=api, errcode=errcode)
        self.retry_after_s = retry_after_s


class WeComMisconfigured(WeComError):
    """Secret, trusted IP, permission or visible range: calling again cannot help until a person acts."""

    code = "wecom_misconfigured"
    default_message = "企业微信应用配置有误，请管理员检查 Secret、可信 IP 与接口权限"


class WeComMemberBarred(WeComMisconfigured):
    """One member lacks a right or stands outside the visible range; others are not touched by that."""


class WeComGone(WeComError):
    """The customer, member or relation named is not there for this app."""

    code = "wecom_gone"
    http_status = 409
    default_message = "企业微信中已没有这个客户或好友关系"


class WeComTagGone(WeComGone):
    code = "wecom_tag_gone"
    default_message = "企业微信中已没有这个标签"


class WelcomeTooLate(WeComError):
    """The welcome code is used up, expired or unknown (41050)."""

    code = "welcome_too_late"
    default_message = "欢迎语已过期，未发送"


class WelcomeTaken(WeComError):
    """Another welcome was sent, or the two have begun to chat (41051)."""

    code = "welcome_taken"
    default_message = "客户已收到其他欢迎语或已开始聊天"


class LoginCodeRefused(WeComError):
    """A log-in code that is unknown, used, or more than five minutes old (40029, 42022)."""

    code = "login_code_refused"
    http_status = 403
    default_message = "登录凭证无效或已过期，请重新登录"


class WeComRejected(WeComError):
    """Any other definite refusal: nothing was done at WeCom."""

    code = "wecom_rejected"
    default_message = "企业微信拒绝了这次操作"
