"""Version 2: the same features put right, one for one."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from django.core.cache import cache as django_cache
from django.db import connection, connections
from django.http import HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import etag

import tasks

from .clients import cache, get_json, rows
from .models import AuditLog, Event, Order, OrderItem, Product, Review, Setting, User
from .v1 import DASHBOARD, by_code, catalogue, categories_in_use, status

__all__ = ["by_code", "catalogue", "status"]  # unchanged: a migration, a middleware and a setting put them right


def user_orders(request, pk):
    orders = []
    for order in Order.objects.filter(user_id=pk).prefetch_related("items"):
        items = [{"product": item.product_id, "quantity": item.quantity} for item in order.items.all()]
        orders.append({"id": order.pk, "total": order.total, "items": items})
    return JsonResponse({"orders": orders})


def users(request):
    people = []
    for user in User.objects.order_by("id").prefetch_related("orders")[: int(request.GET["limit"])]:
        people.append({"name": user.name, "orders": [order.pk for order in user.orders.all()]})
    return JsonResponse({"users": people})


def feed(request):
    people = list(User.objects.order_by("id")[:30])
    orders = Order.objects.filter(user__in=[user.pk for user in people]).values("id", "user_id", "status")
    return JsonResponse({"feed": list(orders)})


def tree(request):
    result = []
    for user in User.objects.order_by("id").prefetch_related("orders__items")[:3]:
        for order in user.orders.all():
            result.append(
                {"user": user.name, "order": order.pk, "items": [item.product_id for item in order.items.all()]}
            )
    return JsonResponse({"tree": result})


def activity(request):
    result = []
    for user in User.objects.order_by("id").prefetch_related("orders", "reviews")[:20]:
        result.append({"name": user.name, "orders": len(user.orders.all()), "reviews": len(user.reviews.all())})
    return JsonResponse({"activity": result})


def total(request, pk):
    tax = float(Setting.objects.get(key="tax.rate").value)
    return JsonResponse({"total": sum(float(item.price) * tax for item in OrderItem.objects.filter(order_id=pk))})


def banner(request):
    return JsonResponse(
        {"banner": django_cache.get_or_set("banner", lambda: Setting.objects.get(key="banner.text").value, 60)}
    )


@cache_control(public=True, max_age=60, stale_while_revalidate=300)
@etag(lambda request: '"categories-1"')
def categories(request):
    found = django_cache.get_or_set("categories", categories_in_use, 300)
    return JsonResponse({"categories": found})


def search(request):
    found = Event.objects.filter(reference=f"REF-{request.GET['reference']}").select_related("user")
    return JsonResponse({"events": [{"id": event.pk, "user": event.user.name} for event in found]})


def recent_events(request):
    since = request.GET["since"]
    sql = "SELECT kind, count(DISTINCT user_id) AS users FROM events WHERE created_at >= %s AND created_at < %s::timestamptz + interval '1 hour' GROUP BY kind"
    return JsonResponse({"kinds": rows(sql, since, since)})


def shipping(request, pk):
    order = Order.objects.get(pk=pk)  # the carrier's rates are fetched by a timer; requests read the copy
    cost = cache.hget("shipping:rates", str(order.pk % 6))
    return JsonResponse({"cost": float(cost or 5) * order.items.count()})


def events(request):
    return JsonResponse(
        {
            "events": list(
                Event.objects.filter(id__gt=int(request.GET["after"]))
                .order_by("id")
                .values("id", "kind", "reference")[:50]
            )
        }
    )


def products(request):
    return JsonResponse({"products": list(Product.objects.order_by("id").values("id", "name", "price")[:50])})


def audit(request):
    count = json.loads(request.body)["count"]
    AuditLog.objects.bulk_create(AuditLog(actor=7, action="login", detail=f"event {i}") for i in range(count))
    return JsonResponse({"written": count}, status=201)


def invoice(request, pk):
    with connections["invoices"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) AS parcels, max(created_at) AS last_sent FROM shipments WHERE order_id %% 97 = %s",
            [pk % 97],
        )
        parcels, last_sent = cursor.fetchone()
    return JsonResponse({"parcels": parcels, "last_sent": last_sent})


def orders(request):
    user_id = json.loads(request.body)["userId"]
    order = Order.objects.create(user_id=user_id, status="new", total=10, created_at=datetime.now(timezone.utc))
    tasks.send_mail.delay(f"user{user_id}@shop.example", f"Order {order.pk}")
    return JsonResponse({"id": order.pk}, status=201)


def _in_thread(sql):
    try:
        return rows(sql)
    finally:
        connection.close()


def dashboard(request):
    with ThreadPoolExecutor(4) as pool:
        return JsonResponse(dict(zip(DASHBOARD, pool.map(_in_thread, DASHBOARD.values()))))


def quote(request):
    with ThreadPoolExecutor(4) as pool:
        return JsonResponse(
            {
                "price": sum(
                    found["factor"] for found in pool.map(get_json, ("/weather", "/tariff", "/traffic", "/fuel"))
                )
            }
        )


def data_quality(request):
    tables = rows(
        "SELECT table_name, array_agg(column_name::text ORDER BY column_name) AS names FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name NOT IN ('events', 'shipments') GROUP BY 1 ORDER BY 1"
    )
    report = {}
    for table in tables:
        counts = ", ".join(
            f'count("{name}") AS "{name}", count(DISTINCT "{name}") AS "distinct {name}"' for name in table["names"]
        )
        report[table["table_name"]] = rows(f'SELECT count(*) AS total, {counts} FROM "{table["table_name"]}"')[0]
    return JsonResponse(report)


def revenue(request):
    return JsonResponse(
        {
            "revenue": django_cache.get_or_set(
                "revenue", lambda: rows("SELECT category, revenue FROM revenue_by_category ORDER BY revenue DESC"), 300
            )
        }
    )


def wishlist(request, pk):
    wishes = (
        Review.objects.filter(user_id__gte=pk, user_id__lte=pk + 1)
        .order_by("id")
        .values_list("product_id", flat=True)[:15]
    )
    return JsonResponse({"wishes": get_json(f"/prices?ids={','.join(map(str, wishes))}")})


def carts(request):
    return JsonResponse({"carts": cache.mget([f"cart:{user}" for user in range(1, 31)])})


def pipelined_carts(request):
    with cache.pipeline(transaction=False) as pipeline:
        for user in range(1, 31):
            pipeline.get(f"cart:{user}")
        return JsonResponse({"carts": pipeline.execute()})


def newsletter(request):
    tasks.send_newsletters.delay(list(range(1, json.loads(request.body)["users"] + 1)))
    return HttpResponse(status=202)


def product_prices(request, pk):
    rate = get_json("/rates/eur")["rate"]
    return JsonResponse(dict.fromkeys(("de", "fr", "it", "es", "pt"), 10 * rate))
