"""The thing to compare with: FastAPI and SQLAlchemy, one insert or one select."""

import os
import sys
import uuid
from datetime import datetime
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.core.clock import SystemClock


class Base(DeclarativeBase):
    """The declarative base."""


class Item(Base):
    """A row as wide as a deployment's spec."""

    __tablename__ = "bare_items"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Request(BaseModel):
    """What is posted."""

    name: str
    model: dict[str, Any]
    target: dict[str, Any]


class Answer(BaseModel):
    """What is shown."""

    id: str
    name: str
    created_at: datetime
    body: dict[str, Any]


def create(url: str) -> FastAPI:
    """Return the application, as a tutorial would write it."""
    engine = create_async_engine(url, pool_size=20, max_overflow=0)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    app = FastAPI()

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        return {}

    @app.post("/items", status_code=202)
    async def post(request: Request, response: Response) -> Answer:
        item = Item(
            id=uuid.uuid4().hex,
            name=request.name,
            created_at=SystemClock().now().replace(tzinfo=None),
            body=request.model_dump(),
        )
        async with sessions.begin() as session:
            session.add(item)
        response.headers["Location"] = f"/items/{item.id}"
        return Answer.model_validate(item, from_attributes=True)

    @app.get("/items/{item_id}")
    async def get(item_id: str) -> Answer:
        async with sessions() as session:
            item = await session.get_one(Item, item_id)
        return Answer.model_validate(item, from_attributes=True)

    return app


if __name__ == "__main__":
    uvicorn.run(
        create(os.environ["BARE_URL"]),
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
    )
