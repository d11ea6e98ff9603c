"""Tables. Every change here needs a revision under migrations/versions."""

import enum
from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .db import Base


class Slot(str, enum.Enum):
    BREAKFAST = "breakfast"
    LUNCH = "lunch"
    DINNER = "dinner"
    SNACK = "snack"


class LocationKind(str, enum.Enum):
    KITCHEN = "kitchen"
    CANTEEN = "canteen"


recipe_tag = Table(
    "recipe_tag",
    Base.metadata,
    Column("recipe_id", ForeignKey("recipe.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True),
)


class Ingredient(Base):
    __tablename__ = "ingredient"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    is_allergen: Mapped[bool] = mapped_column(default=False, server_default=false())


class Recipe(Base):
    __tablename__ = "recipe"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(220), unique=True)
    instructions: Mapped[str] = mapped_column(Text, default="", server_default="")
    prep_minutes: Mapped[int | None]
    servings: Mapped[int] = mapped_column(default=4, server_default="4")
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )

    ingredients: Mapped[list["RecipeIngredient"]] = relationship(
        back_populates="recipe",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="RecipeIngredient.id",
    )
    tags: Mapped[list["Tag"]] = relationship(
        secondary=recipe_tag, back_populates="recipes", order_by="Tag.name"
    )


class RecipeIngredient(Base):
    __tablename__ = "recipe_ingredient"

    id: Mapped[int] = mapped_column(primary_key=True)
    recipe_id: Mapped[int] = mapped_column(
        ForeignKey("recipe.id", ondelete="CASCADE"), index=True
    )
    ingredient_id: Mapped[int] = mapped_column(ForeignKey("ingredient.id"), index=True)
    # 0 stands for "as much as you like": the unit then says so ("to taste").
    quantity: Mapped[float] = mapped_column(Numeric(10, 3, asdecimal=False))
    unit: Mapped[str] = mapped_column(String(64))

    recipe: Mapped[Recipe] = relationship(back_populates="ingredients")
    ingredient: Mapped[Ingredient] = relationship(lazy="joined")


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)

    recipes: Mapped[list[Recipe]] = relationship(secondary=recipe_tag, back_populates="tags")


class Location(Base):
    __tablename__ = "location"
    __table_args__ = (CheckConstraint("kind IN ('kitchen', 'canteen')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    timezone: Mapped[str] = mapped_column(String(64), default="UTC", server_default="UTC")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())


class PlannedMeal(Base):
    __tablename__ = "planned_meal"
    __table_args__ = (
        CheckConstraint("slot IN ('breakfast', 'lunch', 'dinner', 'snack')", name="slot"),
        UniqueConstraint("location_id", "planned_on", "slot", "recipe_id"),
        Index(None, "planned_on", "location_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    planned_on: Mapped[date]
    slot: Mapped[str] = mapped_column(String(16))
    recipe_id: Mapped[int] = mapped_column(ForeignKey("recipe.id"), index=True)
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    servings: Mapped[int]

    recipe: Mapped[Recipe] = relationship()
    location: Mapped[Location] = relationship()
