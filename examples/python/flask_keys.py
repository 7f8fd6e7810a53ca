"""API keys with Flask: pip install openwa-store flask && flask --app flask_keys run"""

from flask import Flask, abort, request

import openwa_store

app = Flask(__name__)
store = openwa_store.open_store("./data")


@app.before_request
def check_key() -> None:
    key = request.headers.get("X-API-Key", "")
    answer = store.api_keys.authorize(key, permission="sessions:read", ip=request.remote_addr)
    if not answer.allowed:
        abort(403)


@app.get("/sessions")
def sessions() -> list[str]:
    return [session.name for session in store.sessions.iterate()]
