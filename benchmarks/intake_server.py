"""The application with one more route, `NOOP`, which reads the body and answers; `benchmarks.intake` starts it."""

import sys

import waitress
from flask import Response, request

from benchmarks.intake import NOOP
from wecom_app.bootstrap import build_runtime
from wecom_app.config import load_settings
from wecom_app.web import create_web


def main() -> None:
    runtime = build_runtime(load_settings())
    app = create_web(runtime)

    def noop() -> Response:
        request.get_data()
        return Response("success", mimetype="text/plain")

    app.add_url_rule(NOOP, view_func=noop, methods=["POST"])
    # No worker: the figure is that of the intake alone.
    waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=16, connection_limit=1000, _quiet=True)


if __name__ == "__main__":
    main()
