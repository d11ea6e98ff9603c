from fastapi import APIRouter, status
from sqlalchemy import select

from ..db import SessionDep
from ..models import Location
from ..schemas import LocationIn, LocationOut
from .common import commit_or_409, get_or_404

router = APIRouter(prefix="/locations", tags=["locations"])


@router.get("", response_model=list[LocationOut])
def list_locations(session: SessionDep, include_inactive: bool = False):
    query = select(Location).order_by(Location.name)
    if not include_inactive:
        query = query.where(Location.is_active)
    return session.scalars(query).all()


@router.post("", response_model=LocationOut, status_code=status.HTTP_201_CREATED)
def create_location(body: LocationIn, session: SessionDep):
    location = Location(**body.model_dump() | {"kind": body.kind.value})
    session.add(location)
    commit_or_409(session, "a location with this name exists")
    return location


@router.put("/{location_id}", response_model=LocationOut)
def update_location(location_id: int, body: LocationIn, session: SessionDep):
    location = get_or_404(session, Location, location_id)
    location.name = body.name
    location.kind = body.kind.value
    location.timezone = body.timezone
    location.is_active = body.is_active
    commit_or_409(session, "a location with this name exists")
    return location
