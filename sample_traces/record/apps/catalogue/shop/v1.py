"""Version 1 of the features: as they are often first written."""

import json
from datetime import datetime, timezone
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.core.cache import cache as django_cache
from django.db import connection, connections
from django.db.models import Q
from django.http import HttpResponse, JsonResponse

import tasks

from .clients import cache, get_json, http, rows
from .models import AuditLog, Event, Order, OrderItem, Product, Review, Setting, Shipment, User


def user_orders(request, pk):
    orders = []
    for order in Order.objects.filter(user_id=pk):
        items = [{"product": item.product_id, "quantity": item.quantity} for item in order.items.all()]
        orders.append({"id": order.pk, "total": order.total, "items": items})
    return JsonResponse({"orders": orders})


def users(request):
    people = []
    for user in User.objects.order_by("id")[: int(request.GET["limit"])]:
        people.append({"name": user.name, "orders": [order.pk for order in user.orders.all()]})
    return JsonResponse({"users": people})


def feed(request):
    def orders(user_id):
        try:
            return list(Order.objects.filter(user_id=user_id).values("id", "status"))
        finally:
            connection.close()

    people = list(User.objects.order_by("id")[:30])
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(orders, [user.pk for user in people]))
    return JsonResponse({"feed": found})


def tree(request):
    result = []
    for user in User.objects.order_by("id")[:3]:
        for order in user.orders.all()[:10]:
            result.append(
                {"user": user.name, "order": order.pk, "items": [item.product_id for item in order.items.all()]}
            )
    return JsonResponse({"tree": result})


def activity(request):
    result = []
    for user in User.objects.order_by("id")[:20]:
        orders = Order.objects.filter(user=user).count()
        ratings = list(Review.objects.filter(user=user).values_list("rating", flat=True)[:2])
        result.append({"name": user.name, "orders": orders, "ratings": ratings})
    return JsonResponse({"activity": result})


def total(request, pk):
    amount = 0
    for item in OrderItem.objects.filter(order_id=pk):
        for _part in ("price", "discount", "delivery"):
            amount += float(item.price) * float(Setting.objects.get(key="tax.rate").value)
    return JsonResponse({"total": amount})


def banner(request):
    return JsonResponse({"banner": Setting.objects.get(key="banner.text").value})


def categories_in_use():
    return list(Product.objects.values_list("category", flat=True).distinct().order_by("category"))


def categories(request):
    found = django_cache.get_or_set("categories", categories_in_use, 300)
    return JsonResponse({"categories": found})


def search(request):
    word = request.GET["reference"]
    found = Event.objects.filter(Q(reference__icontains=word) | Q(kind__icontains=word)).select_related("user")
    return JsonResponse({"events": [{"id": event.pk, "user": event.user.name} for event in found]})


def recent_events(request):
    return JsonResponse(
        {
            "kinds": rows(
                "SELECT kind, count(DISTINCT user_id) AS users FROM events WHERE created_at >= %s GROUP BY kind",
                request.GET["since"],
            )
        }
    )


def shipping(request, pk):
    order = Order.objects.get(pk=pk)
    rate = get_json(f"/shipping/{order.pk % 6}")
    return JsonResponse({"cost": rate["cost"] * order.items.count()})


def by_code(request):
    found = Shipment.objects.filter(tracking_code=request.GET["code"], state="moving").order_by("-created_at")
    return JsonResponse({"shipments": list(found.values("id", "order_id", "carrier", "state"))})


def events(request):
    start = (int(request.GET["page"]) - 1) * 50
    return JsonResponse(
        {"events": list(Event.objects.order_by("id").values("id", "kind", "reference")[start : start + 50])}
    )


def products(request):
    found = rows("SELECT * FROM products")
    return JsonResponse({"products": [{key: row[key] for key in ("id", "name", "price")} for row in found[:50]]})


def catalogue(request):
    return JsonResponse(
        {"products": list(Product.objects.order_by("id").values("id", "sku", "name", "price", "description")[:500])}
    )


def audit(request):
    count = json.loads(request.body)["count"]
    for i in range(count):
        AuditLog.objects.create(actor=7, action="login", detail=f"event {i}")
    return JsonResponse({"written": count}, status=201)


def invoice(request, pk):
    with connections["invoices"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) AS parcels, max(created_at) AS last_sent FROM shipments WHERE order_id %% 97 = %s",
            [pk % 97],
        )
        parcels, last_sent = cursor.fetchone()
    return JsonResponse({"parcels": parcels, "last_sent": last_sent})


def status(request, pk):
    return JsonResponse({"status": Order.objects.using("status").values_list("status", flat=True).get(pk=pk)})


def orders(request):
    user_id = json.loads(request.body)["userId"]
    order = Order.objects.create(user_id=user_id, status="new", total=10, created_at=datetime.now(timezone.utc))
    http.post(
        f"{settings.PARTNER_URL}/mail",
        json={"to": f"user{user_id}@shop.example", "subject": f"Order {order.pk}"},
        timeout=10,
    )
    return JsonResponse({"id": order.pk}, status=201)


DASHBOARD = {
    "sales": "SELECT sum(amount) AS sales FROM events WHERE kind = 'sale' AND id <= 700000",
    "shipments": "SELECT state, count(*) AS shipments FROM shipments GROUP BY state",
    "best": "SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id ORDER BY sold DESC LIMIT 5",
    "ratings": "SELECT p.category, avg(r.rating) AS rating FROM reviews r JOIN products p ON p.id = r.product_id, generate_series(1, 6) AS week GROUP BY p.category",
}


def dashboard(request):
    return JsonResponse({name: rows(sql) for name, sql in DASHBOARD.items()})


def quote(request):
    return JsonResponse(
        {"price": sum(get_json(path)["factor"] for path in ("/weather", "/tariff", "/traffic", "/fuel"))}
    )


def data_quality(request):
    columns = rows(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT IN ('events', 'shipments') ORDER BY 1, 2"
    )
    report = {}
    for table, column in [(row["table_name"], row["column_name"]) for row in columns]:
        empty = rows(f'SELECT count(*) AS empty FROM "{table}" WHERE "{column}" IS NULL')
        distinct = rows(f'SELECT count(DISTINCT "{column}") AS found FROM "{table}"')
        report[f"{table}.{column}"] = [empty[0]["empty"], distinct[0]["found"]]
    return JsonResponse(report)


REVENUE = "SELECT p.category, sum(e.amount) AS revenue FROM events e JOIN products p ON p.id = 1 + mod(e.id, 3000) GROUP BY p.category ORDER BY revenue DESC"


def revenue(request):
    return JsonResponse({"revenue": rows(REVENUE)})


def wishlist(request, pk):
    wishes = (
        Review.objects.filter(user_id__gte=pk, user_id__lte=pk + 1)
        .order_by("id")
        .values_list("product_id", flat=True)[:15]
    )
    return JsonResponse({"wishes": [get_json(f"/prices/{product}") for product in wishes]})


def carts(request):
    return JsonResponse({"carts": [cache.get(f"cart:{user}") for user in range(1, 31)]})


def newsletter(request):
    for user_id in range(1, json.loads(request.body)["users"] + 1):
        tasks.send_newsletter.delay(user_id)
    return HttpResponse(status=202)


def product_prices(request, pk):
    return JsonResponse({country: 10 * get_json("/rates/eur")["rate"] for country in ("de", "fr", "it", "es", "pt")})
