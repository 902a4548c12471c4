"""Connections that all views share."""

import redis
import requests
from django.conf import settings
from django.db import connection

cache = redis.Redis.from_url(settings.REDIS_URL, decode_responses=True)
http = requests.Session()


def get_json(path):
    answer = http.get(settings.PARTNER_URL + path, timeout=10)
    answer.raise_for_status()
    return answer.json()


def rows(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]
