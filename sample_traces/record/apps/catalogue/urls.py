"""Routes: the healthy ones, and the features of the version that runs."""

from django.conf import settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from shop import healthy

if settings.RELEASE == "2":
    from shop import v2 as features
else:
    from shop import v1 as features

urlpatterns = [
    path("health/live", healthy.live),
    path("health", healthy.health),
    path("users/<int:pk>", healthy.user),
    path("users/<int:pk>/profile", healthy.profile),
    path("overview", healthy.overview),
    path("checkout", csrf_exempt(healthy.checkout)),
    path("orders/recent", healthy.recent),
    path("orders/export", healthy.export),
    path("import/batch", csrf_exempt(healthy.import_batch)),
    path("notifications/poll", healthy.poll),
    path("orders/<int:pk>/failing", healthy.failing),
    path("stock/<int:pk>/supplier", healthy.supplier),
    path("prices/<int:pk>", healthy.price),
    path("prices", healthy.prices),
    path("users/<int:pk>/orders", features.user_orders),
    path("users", features.users),
    path("feed", features.feed),
    path("tree", features.tree),
    path("activity", features.activity),
    path("orders/<int:pk>/total", features.total),
    path("banner", features.banner),
    path("categories", features.categories),
    path("events/search", features.search),
    path("events/recent", features.recent_events),
    path("orders/<int:pk>/shipping", features.shipping),
    path("shipments/by-code", features.by_code),
    path("events", features.events),
    path("products", features.products),
    path("catalogue", features.catalogue),
    path("audit", csrf_exempt(features.audit)),
    path("invoices/<int:pk>", features.invoice),
    path("orders/<int:pk>/status", features.status),
    path("orders", csrf_exempt(features.orders)),
    path("dashboard", features.dashboard),
    path("quote", features.quote),
    path("data-quality", features.data_quality),
    path("revenue", features.revenue),
    path("users/<int:pk>/wishlist", features.wishlist),
    path("carts", features.carts),
    path("newsletter", csrf_exempt(features.newsletter)),
    path("products/<int:pk>/prices", features.product_prices),
]
if settings.RELEASE == "2":
    urlpatterns.append(path("carts/pipelined", features.pipelined_carts))
