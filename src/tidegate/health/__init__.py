"""Health endpoints for the app: `/livez`, `/readyz` and `/startupz`, standard library only.

WSGI: `application = tidegate.health.WSGI(application)`. ASGI: `app.add_middleware(
tidegate.health.ASGI)`. Django: `"tidegate.health.django.Middleware"` at the top of MIDDLEWARE, or
`include("tidegate.health.urls")`. Celery: `tidegate.health.celery.install(app)`.
"""

from __future__ import annotations

from tidegate.container.health.checking import Health
from tidegate.health.asgi import ASGI
from tidegate.health.metrics import metrics_text
from tidegate.health.wsgi import WSGI

__all__ = ["ASGI", "WSGI", "Health", "metrics_text"]
