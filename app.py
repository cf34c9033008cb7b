"""The composition root: one Chalice app, its routes and its event functions. No rule lives here."""

from __future__ import annotations

from chalicelib import settings
from chalicelib.events import queues, schedules, websocket
from chalicelib.routes import App

if settings.aws().snap_start:
    # Imported here because other cold starts do not need it.
    from chalicelib import snapstart

    snapstart.prepare()
app = App("lamplighter", lazy=settings.aws().on_lambda and not settings.aws().snap_start)
app.api.binary_types += ["multipart/form-data", "multipart/mixed"]
app.register_blueprint(queues.bp)
app.register_blueprint(schedules.bp)
app.experimental_feature_flags.add("WEBSOCKETS")  # Chalice's word for what it has had since 2019
app.register_blueprint(websocket.bp)
