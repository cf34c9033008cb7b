"""The composition root: one Chalice app, its blueprints and its event functions. No rule lives here."""

from __future__ import annotations

from chalice.app import Chalice

from chalicelib import routes
from chalicelib.events import queues, schedules
from chalicelib.http.endpoint import bind

app = Chalice(app_name="lamplighter")
app.api.binary_types += ["multipart/form-data", "multipart/mixed"]
bind(app)
for blueprint in routes.BLUEPRINTS:
    app.register_blueprint(blueprint)
app.register_blueprint(queues.bp)
app.register_blueprint(schedules.bp)
