from fastapi import APIRouter

from . import ingredients, locations, planned_meals, recipes

router = APIRouter(prefix="/api")
for module in (recipes, ingredients, locations, planned_meals):
    router.include_router(module.router)
