from fastapi import APIRouter, status
from sqlalchemy import select

from ..db import SessionDep
from ..models import Ingredient
from ..schemas import IngredientIn, IngredientOut
from .common import commit_or_409, get_or_404

router = APIRouter(prefix="/ingredients", tags=["ingredients"])


@router.get("", response_model=list[IngredientOut])
def list_ingredients(session: SessionDep):
    return session.scalars(select(Ingredient).order_by(Ingredient.name)).all()


@router.post("", response_model=IngredientOut, status_code=status.HTTP_201_CREATED)
def create_ingredient(body: IngredientIn, session: SessionDep):
    ingredient = Ingredient(**body.model_dump())
    session.add(ingredient)
    commit_or_409(session, "an ingredient with this name exists")
    return ingredient


@router.get("/{ingredient_id}", response_model=IngredientOut)
def get_ingredient(ingredient_id: int, session: SessionDep):
    return get_or_404(session, Ingredient, ingredient_id)


@router.delete("/{ingredient_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_ingredient(ingredient_id: int, session: SessionDep) -> None:
    session.delete(get_or_404(session, Ingredient, ingredient_id))
    commit_or_409(session, "the ingredient is used by a recipe")
