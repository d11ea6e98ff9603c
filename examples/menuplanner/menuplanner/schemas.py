"""What the API takes and returns."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from .models import LocationKind, Slot

Name = Annotated[str, Field(min_length=1, max_length=120)]
Servings = Annotated[int, Field(ge=1, le=10_000)]


class FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class IngredientIn(BaseModel):
    name: Name
    is_allergen: bool = False


class IngredientOut(IngredientIn, FromRow):
    id: int


class LocationIn(BaseModel):
    name: Name
    kind: LocationKind
    timezone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"
    is_active: bool = True


class LocationOut(LocationIn, FromRow):
    id: int


class RecipeIngredientIn(BaseModel):
    ingredient_id: int
    quantity: Annotated[float, Field(ge=0, lt=10_000_000)]
    unit: Annotated[str, Field(max_length=64)]


class RecipeIngredientOut(FromRow):
    ingredient: IngredientOut
    quantity: float
    unit: str


class RecipeIn(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    instructions: str = ""
    prep_minutes: Annotated[int, Field(ge=0, le=10_000)] | None = None
    servings: Servings = 4
    ingredients: list[RecipeIngredientIn] = []
    tags: list[Annotated[str, Field(min_length=1, max_length=60)]] = []


class RecipeSummary(FromRow):
    id: int
    title: str
    slug: str
    prep_minutes: int | None
    servings: int
    tags: list[str]

    @field_validator("tags", mode="before")
    @classmethod
    def _tag_names(cls, value):
        return [getattr(tag, "name", tag) for tag in value]


class RecipeOut(RecipeSummary):
    instructions: str
    created_at: datetime
    ingredients: list[RecipeIngredientOut]


class PlannedMealIn(BaseModel):
    planned_on: date
    slot: Slot
    recipe_id: int
    location_id: int
    servings: Servings


class PlannedMealOut(PlannedMealIn, FromRow):
    id: int


class ShoppingItem(BaseModel):
    ingredient: str
    quantity: float
    unit: str
