"""The ASGI application: uvicorn menuplanner.main:app"""

from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

from . import __version__
from .api import router
from .config import Settings, ensure_sqlite_directory
from .db import SessionDep, build_engine


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or Settings.from_env()
    engine = build_engine(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI):
        ensure_sqlite_directory(settings.database_url)
        yield
        engine.dispose()

    app = FastAPI(title="menuplanner", version=__version__, lifespan=lifespan)
    app.state.sessions = sessionmaker(engine, expire_on_commit=False)
    app.include_router(router)

    @app.get("/healthz", tags=["health"])
    def healthz(session: SessionDep):
        try:
            session.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return JSONResponse({"status": "unavailable"}, status_code=503)
        return {"status": "ok"}

    return app


app = create_app()
