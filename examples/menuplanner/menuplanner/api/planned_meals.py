from datetime import date

from fastapi import APIRouter, HTTPException, status
from sqlalchemy import func, select

from ..db import SessionDep
from ..models import Ingredient, Location, PlannedMeal, Recipe, RecipeIngredient
from ..schemas import PlannedMealIn, PlannedMealOut, ShoppingItem
from .common import commit_or_409, get_or_404

router = APIRouter(prefix="/planned-meals", tags=["planned meals"])


@router.get("", response_model=list[PlannedMealOut])
def list_planned_meals(
    session: SessionDep,
    start: date | None = None,
    end: date | None = None,
    location_id: int | None = None,
):
    query = select(PlannedMeal).order_by(PlannedMeal.planned_on, PlannedMeal.id)
    if start is not None:
        query = query.where(PlannedMeal.planned_on >= start)
    if end is not None:
        query = query.where(PlannedMeal.planned_on <= end)
    if location_id is not None:
        query = query.where(PlannedMeal.location_id == location_id)
    return session.scalars(query).all()


@router.post("", response_model=PlannedMealOut, status_code=status.HTTP_201_CREATED)
def create_planned_meal(body: PlannedMealIn, session: SessionDep):
    for model, row_id in ((Recipe, body.recipe_id), (Location, body.location_id)):
        if session.get(model, row_id) is None:
            raise HTTPException(
                status.HTTP_400_BAD_REQUEST, f"no such {model.__tablename__}: {row_id}"
            )
    meal = PlannedMeal(**body.model_dump() | {"slot": body.slot.value})
    session.add(meal)
    commit_or_409(session, "this recipe is already planned there for that slot")
    return meal


@router.get("/shopping-list", response_model=list[ShoppingItem])
def shopping_list(session: SessionDep, start: date, end: date, location_id: int | None = None):
    """What the meals from start to end need, scaled to their servings."""
    needed = func.sum(RecipeIngredient.quantity * PlannedMeal.servings / Recipe.servings)
    query = (
        select(Ingredient.name, RecipeIngredient.unit, needed)
        .select_from(PlannedMeal)
        .join(Recipe, Recipe.id == PlannedMeal.recipe_id)
        .join(RecipeIngredient, RecipeIngredient.recipe_id == Recipe.id)
        .join(Ingredient, Ingredient.id == RecipeIngredient.ingredient_id)
        .where(PlannedMeal.planned_on.between(start, end))
        .group_by(Ingredient.name, RecipeIngredient.unit)
        .order_by(Ingredient.name, RecipeIngredient.unit)
    )
    if location_id is not None:
        query = query.where(PlannedMeal.location_id == location_id)
    return [
        ShoppingItem(ingredient=name, unit=unit, quantity=round(float(quantity), 3))
        for name, unit, quantity in session.execute(query)
    ]


@router.delete("/{meal_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_planned_meal(meal_id: int, session: SessionDep) -> None:
    session.delete(get_or_404(session, PlannedMeal, meal_id))
    session.commit()
