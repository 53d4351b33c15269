"""WeCom's side of the wire, for the demo, the tests and the load runs.

Nothing here is shared with the client: the two meet only over HTTP, as they would with Tencent.
"""
