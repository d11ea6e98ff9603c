"""menuplanner: recipes, ingredients and the weekly plan of several kitchens."""

__version__ = "1.6.0"
