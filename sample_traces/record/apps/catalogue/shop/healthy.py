"""Views that were always fine."""

import json
import time
from datetime import datetime, timezone

import requests
from django.db import transaction
from django.db.models import F
from django.http import HttpResponse, JsonResponse

from .clients import cache, get_json, rows
from .models import AuditLog, Order, OrderItem, Product, Review, Setting, Stock, User


def live(request):
    return JsonResponse({"status": "up"})


def health(request):
    rows("SELECT 1 AS one")
    return JsonResponse({"status": "up"})


def user(request, pk):
    return JsonResponse(User.objects.values().get(pk=pk))


def profile(request, pk):
    person = User.objects.values().get(pk=pk)
    orders = Order.objects.filter(user_id=pk).count()
    reviews = list(Review.objects.filter(user_id=pk).values("id", "rating")[:3])
    return JsonResponse({"user": person, "orders": orders, "reviews": reviews})


def overview(request):
    orders = list(Order.objects.order_by("-created_at").values("id", "total")[:5])
    products = list(Product.objects.filter(category="category-3").values("id", "name")[:5])
    reviews = Review.objects.filter(product_id=14).count()
    tax = Setting.objects.get(key="tax.rate").value
    return JsonResponse({"orders": orders, "products": products, "reviews": reviews, "tax": tax})


def checkout(request):
    wanted = json.loads(request.body)
    with transaction.atomic():
        product = Product.objects.only("price").get(pk=wanted["productId"])
        Stock.objects.filter(product_id=product.pk).update(quantity=F("quantity") - 1)
        order = Order.objects.create(
            user_id=wanted["userId"], status="new", total=product.price, created_at=datetime.now(timezone.utc)
        )
        OrderItem.objects.create(order=order, product_id=product.pk, quantity=1, price=product.price)
    return JsonResponse({"id": order.pk}, status=201)


def recent(request):
    start = (int(request.GET.get("page", 1)) - 1) * 20
    return JsonResponse(
        {"orders": list(Order.objects.order_by("-created_at").values("id", "total")[start : start + 20])}
    )


def export(request):
    lines, last = [], 0
    for _ in range(6):  # keyset pages: each needs the last id of the page before it
        page = list(Order.objects.filter(id__gt=last).order_by("id").values_list("id", "total")[:500])
        if not page:
            break
        last = page[-1][0]
        lines += [f"{pk},{total}" for pk, total in page]
    return HttpResponse("\n".join(lines), content_type="text/csv")


def import_batch(request):
    for chunk in range(3):
        AuditLog.objects.bulk_create(
            AuditLog(actor=1, action="import", detail=f"row {chunk * 200 + i}") for i in range(200)
        )
    return JsonResponse({"imported": 600})


def poll(request):
    return JsonResponse({"message": cache.blpop(f"notifications:{request.GET['user']}", 3)})


def failing(request, pk):
    try:
        rows("SELECT id, no_such_column FROM orders WHERE id = %s", pk)
    except Exception as error:
        return JsonResponse({"error": str(error).splitlines()[0]}, status=500)
    return JsonResponse({})


def supplier(request, pk):
    for attempt in range(4):  # retries with back-off: the supplier refuses twice, then answers
        try:
            return JsonResponse(get_json(f"/supplier/{pk}"))
        except requests.HTTPError:
            time.sleep(0.05 * 2**attempt)
    return JsonResponse({"error": "no supplier"}, status=502)


def price(request, pk):
    return JsonResponse(Product.objects.values("id", "name", "price").get(pk=pk))


def prices(request):
    ids = [int(pk) for pk in request.GET["ids"].split(",")]
    return JsonResponse(list(Product.objects.filter(pk__in=ids).values("id", "name", "price")), safe=False)
