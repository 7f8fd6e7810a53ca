"""API keys with FastAPI: pip install openwa-store fastapi uvicorn && uvicorn fastapi_keys:app"""

from fastapi import Depends, FastAPI, Header, HTTPException, Request

import openwa_store

app = FastAPI()
store = openwa_store.open_store("./data")


def needs(permission: str):  # type: ignore[no-untyped-def]
    def check(request: Request, x_api_key: str = Header()) -> openwa_store.Authorization:
        ip = request.client.host if request.client else None
        answer = store.api_keys.authorize(x_api_key, permission=permission, ip=ip)
        if not answer.allowed:
            raise HTTPException(403)
        return answer

    return Depends(check)


@app.get("/sessions", dependencies=[needs("sessions:read")])
def sessions() -> list[str]:
    return [session.name for session in store.sessions.iterate()]
