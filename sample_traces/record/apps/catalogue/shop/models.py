"""The shop's tables, which a migration outside Django creates."""

from django.db import models


class User(models.Model):
    name = models.TextField()
    email = models.TextField(unique=True)

    class Meta:
        db_table = "users"
        managed = False


class Product(models.Model):
    sku = models.TextField()
    name = models.TextField()
    price = models.DecimalField(max_digits=10, decimal_places=2)
    category = models.TextField()
    description = models.TextField()
    specs = models.TextField()

    class Meta:
        db_table = "products"
        managed = False


class Order(models.Model):
    user = models.ForeignKey(User, models.CASCADE, related_name="orders")
    status = models.TextField()
    total = models.DecimalField(max_digits=10, decimal_places=2)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "orders"
        managed = False


class OrderItem(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="items")
    product = models.ForeignKey(Product, models.CASCADE)
    quantity = models.IntegerField()
    price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        db_table = "order_items"
        managed = False


class Review(models.Model):
    user = models.ForeignKey(User, models.CASCADE, related_name="reviews")
    product = models.ForeignKey(Product, models.CASCADE)
    rating = models.IntegerField()
    body = models.TextField()

    class Meta:
        db_table = "reviews"
        managed = False


class Setting(models.Model):
    key = models.TextField(primary_key=True)
    value = models.TextField()

    class Meta:
        db_table = "settings"
        managed = False


class AuditLog(models.Model):
    actor = models.IntegerField()
    action = models.TextField()
    detail = models.TextField()

    class Meta:
        db_table = "audit_log"
        managed = False


class Stock(models.Model):
    product = models.OneToOneField(Product, models.CASCADE, primary_key=True)
    quantity = models.IntegerField()

    class Meta:
        db_table = "stock"
        managed = False


class Shipment(models.Model):
    order_id = models.IntegerField()
    tracking_code = models.TextField()
    carrier = models.TextField()
    state = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "shipments"
        managed = False


class Event(models.Model):
    user = models.ForeignKey(User, models.CASCADE)
    kind = models.TextField()
    reference = models.TextField()
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "events"
        managed = False
