"""Settings of the catalogue: Django over psycopg (a pool in version 2), Redis as cache, Celery for what may wait."""

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["DATABASE_URL"])
RELEASE = os.environ.get("RELEASE", "1")

SECRET_KEY = "only-for-recordings"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["shop"]
MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware"] if RELEASE == "2" else []
APPEND_SLASH = False
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": _database.hostname, "PORT": _database.port, "USER": _database.username,
        "PASSWORD": _database.password, "NAME": _database.path[1:], "CONN_MAX_AGE": None,
    },
}  # fmt: skip
# The invoice pages have connections of their own: one for everybody in version 1, sixteen in version 2.
DATABASES["invoices"] = DATABASES["default"] | {
    "CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"min_size": 1, "max_size": 16 if RELEASE == "2" else 1, "timeout": 30}},
}  # fmt: skip
# Version 1 looks an order's status up over a connection that lives for one request.
DATABASES["status"] = DATABASES["default"] | ({} if RELEASE == "2" else {"CONN_MAX_AGE": 0})
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]}}
REDIS_URL = os.environ["REDIS_URL"]
PARTNER_URL = os.environ["PARTNER_URL"]
