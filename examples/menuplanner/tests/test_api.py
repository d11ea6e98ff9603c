import pytest


def create(client, path, **body):
    response = client.post(f"/api/{path}", json=body)
    assert response.status_code == 201, response.text
    return response.json()


@pytest.fixture
def flour(client):
    return create(client, "ingredients", name="Flour", is_allergen=True)


@pytest.fixture
def pancakes(client, flour):
    return create(
        client,
        "recipes",
        title="Crêpes",
        servings=4,
        ingredients=[{"ingredient_id": flour["id"], "quantity": 250, "unit": "g"}],
        tags=["sweet", "quick"],
    )


@pytest.fixture
def canteen(client):
    return create(client, "locations", name="North canteen", kind="canteen")


def test_healthz(client):
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_recipe(client, pancakes):
    assert pancakes["slug"] == "crepes"
    assert pancakes["tags"] == ["quick", "sweet"]
    assert pancakes["ingredients"][0]["ingredient"]["name"] == "Flour"
    assert pancakes["created_at"]
    assert client.get(f"/api/recipes/{pancakes['id']}").json() == pancakes
    assert [r["title"] for r in client.get("/api/recipes?tag=quick").json()] == ["Crêpes"]
    assert client.get("/api/recipes?tag=slow").json() == []


def test_equal_titles_get_different_slugs(client, pancakes):
    assert create(client, "recipes", title="Crêpes")["slug"] == "crepes-2"


def test_update_recipe_keeps_slug(client, pancakes):
    url = f"/api/recipes/{pancakes['id']}"
    updated = client.put(url, json={"title": "Pancakes", "tags": ["sweet"]}).json()
    assert (updated["title"], updated["slug"]) == ("Pancakes", "crepes")
    assert (updated["ingredients"], updated["tags"]) == ([], ["sweet"])
    assert client.get(url).json() == updated


def test_recipe_with_unknown_ingredient(client):
    body = {
        "title": "Air",
        "ingredients": [{"ingredient_id": 99, "quantity": 1, "unit": "l"}],
    }
    assert client.post("/api/recipes", json=body).status_code == 400
    assert client.get("/api/recipes").json() == []


def test_used_ingredient_stays(client, flour, pancakes):
    assert client.delete(f"/api/ingredients/{flour['id']}").status_code == 409
    assert client.delete(f"/api/recipes/{pancakes['id']}").status_code == 204
    assert client.delete(f"/api/ingredients/{flour['id']}").status_code == 204


def test_location(client, canteen):
    body = {"name": "North canteen", "kind": "kitchen"}
    assert client.post("/api/locations", json=body).status_code == 409
    assert client.post("/api/locations", json=body | {"kind": "bar"}).status_code == 422
    closed = client.put(f"/api/locations/{canteen['id']}", json=body | {"is_active": False})
    assert closed.json()["kind"] == "kitchen"
    assert client.get("/api/locations").json() == []
    assert len(client.get("/api/locations?include_inactive=true").json()) == 1


def test_plan_and_shopping_list(client, pancakes, canteen):
    meal = {"recipe_id": pancakes["id"], "location_id": canteen["id"], "servings": 10}
    first = create(client, "planned-meals", planned_on="2025-03-03", slot="lunch", **meal)
    create(client, "planned-meals", planned_on="2025-03-04", slot="snack", **meal)

    again = {"planned_on": "2025-03-03", "slot": "lunch"} | meal
    assert client.post("/api/planned-meals", json=again).status_code == 409
    nowhere = again | {"location_id": 99}
    assert client.post("/api/planned-meals", json=nowhere).status_code == 400

    week = {"start": "2025-03-03", "end": "2025-03-09", "location_id": canteen["id"]}
    assert len(client.get("/api/planned-meals", params=week).json()) == 2
    assert client.get("/api/planned-meals/shopping-list", params=week).json() == [
        {"ingredient": "Flour", "quantity": 1250.0, "unit": "g"}
    ]

    assert client.delete(f"/api/recipes/{pancakes['id']}").status_code == 409
    assert client.delete(f"/api/planned-meals/{first['id']}").status_code == 204
    assert client.delete(f"/api/planned-meals/{first['id']}").status_code == 404
