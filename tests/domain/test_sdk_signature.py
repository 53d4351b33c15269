"""The JS-SDK's signature, against the example on Tencent's page 96909."""

import pytest

from wecom_app.domain.sdk_signature import sign

TICKET = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"


@pytest.mark.parametrize("end", ["", "#top"])
def test_the_signature_is_that_of_tencent_s_example(end: str) -> None:
    url = f"http://mp.weixin.qq.com?params=value{end}"
    assert sign(TICKET, "Wm3WZYTPz0wzccnW", 1414587457, url) == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"
