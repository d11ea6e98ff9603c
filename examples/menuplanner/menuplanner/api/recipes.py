from fastapi import APIRouter, HTTPException, status
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from ..db import SessionDep
from ..models import Ingredient, Recipe, RecipeIngredient, Tag
from ..schemas import RecipeIn, RecipeOut, RecipeSummary
from ..text import slugify
from .common import commit_or_409, get_or_404

router = APIRouter(prefix="/recipes", tags=["recipes"])


@router.get("", response_model=list[RecipeSummary])
def list_recipes(session: SessionDep, tag: str | None = None):
    query = select(Recipe).options(selectinload(Recipe.tags)).order_by(Recipe.title, Recipe.id)
    if tag is not None:
        query = query.where(Recipe.tags.any(Tag.name == tag))
    return session.scalars(query).all()


@router.post("", response_model=RecipeOut, status_code=status.HTTP_201_CREATED)
def create_recipe(body: RecipeIn, session: SessionDep):
    recipe = Recipe(slug=_free_slug(session, body.title))
    _fill(session, recipe, body)
    session.add(recipe)
    commit_or_409(session, "the recipe clashes with another one; try again")
    return recipe


@router.get("/{recipe_id}", response_model=RecipeOut)
def get_recipe(recipe_id: int, session: SessionDep):
    return get_or_404(session, Recipe, recipe_id)


@router.put("/{recipe_id}", response_model=RecipeOut)
def update_recipe(recipe_id: int, body: RecipeIn, session: SessionDep):
    """Replace a recipe. Its slug stays, so links to it keep working."""
    recipe = get_or_404(session, Recipe, recipe_id)
    _fill(session, recipe, body)
    commit_or_409(session, "the recipe clashes with another one; try again")
    return recipe


@router.delete("/{recipe_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_recipe(recipe_id: int, session: SessionDep) -> None:
    session.delete(get_or_404(session, Recipe, recipe_id))
    commit_or_409(session, "the recipe is on the plan")


def _fill(session: Session, recipe: Recipe, body: RecipeIn) -> None:
    wanted = {item.ingredient_id for item in body.ingredients}
    known = set(session.scalars(select(Ingredient.id).where(Ingredient.id.in_(wanted))))
    if wanted - known:
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST, f"no such ingredient: {sorted(wanted - known)}"
        )
    names = sorted(set(body.tags))
    tags = {tag.name: tag for tag in session.scalars(select(Tag).where(Tag.name.in_(names)))}

    recipe.title = body.title
    recipe.instructions = body.instructions
    recipe.prep_minutes = body.prep_minutes
    recipe.servings = body.servings
    recipe.ingredients = [RecipeIngredient(**item.model_dump()) for item in body.ingredients]
    recipe.tags = [tags.get(name) or Tag(name=name) for name in names]


def _free_slug(session: Session, title: str) -> str:
    base = slugify(title)
    taken = set(session.scalars(select(Recipe.slug).where(Recipe.slug.startswith(base))))
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug
