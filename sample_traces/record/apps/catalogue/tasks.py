"""Celery tasks: what a request need not wait for."""

import os

import requests
from celery import Celery

app = Celery("catalogue", broker=os.environ["REDIS_URL"])
app.conf.broker_connection_retry_on_startup = True
app.conf.task_ignore_result = True


@app.task
def send_newsletter(user_id):
    return user_id


@app.task
def send_newsletters(user_ids):
    return len(user_ids)


@app.task
def send_mail(to, subject):
    requests.post(f"{os.environ['PARTNER_URL']}/mail", json={"to": to, "subject": subject}, timeout=10)
