"""app.py: Flask and requests; see ../README.md for where each setting is from."""
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import requests_unixsocket
from flask import Flask, Response, request

USERS = "http+unix://" + quote(os.environ["USERS_SOCKET"], safe="")
ORDERS = "http+unix://" + quote(os.environ["ORDERS_SOCKET"], safe="")
TIMEOUT_SECONDS = 5

app = Flask(__name__)
callers = ThreadPoolExecutor(max_workers=int(os.environ["CALLERS"]))
own = threading.local()


def get(url):
    """A session keeps its connections; requests does not promise that threads can share one."""
    if not hasattr(own, "session"):
        own.session = requests_unixsocket.Session()
        own.session.trust_env = False  # or it looks for proxies in the environment at each call
    return own.session.get(url, timeout=TIMEOUT_SECONDS)


def pass_through(service):
    query = "?" + request.query_string.decode() if request.query_string else ""
    reply = get(service + quote(request.path) + query)
    return Response(reply.content, reply.status_code, content_type=reply.headers["Content-Type"])


@app.get("/users")
@app.get("/users/<path:rest>")
def users(rest=None):
    return pass_through(USERS)


@app.get("/orders")
@app.get("/orders/<path:rest>")
def orders(rest=None):
    return pass_through(ORDERS)


def get_both(users_path, orders_path):
    """Both at the same time: one by another thread, one by this."""
    first = callers.submit(get, USERS + users_path)
    second = get(ORDERS + orders_path)
    return first.result(), second


@app.get("/users/<int:id>/orders")
def user_orders(id):
    user, listed = get_both(f"/users/{id}", f"/orders/user/{id}?limit=1000")
    for reply in (user, listed):
        if reply.status_code != 200:
            return reply.json(), reply.status_code
    listed = listed.json()
    return {
        "service": "api-gateway (orchestration)",
        "user": user.json()["user"],
        "orders_summary": {"total_orders": listed["total"], "orders": listed["orders"]},
    }


@app.get("/dashboard")
def dashboard():
    people, sales = get_both("/users/summary", "/orders/summary")
    for reply in (people, sales):
        if reply.status_code != 200:
            return reply.json(), reply.status_code
    people, sales = people.json(), sales.json()
    return {
        "service": "api-gateway (dashboard orchestration)",
        "overview": {
            "total_users": people["total_users"],
            "total_orders": sales["total_orders"],
            "total_revenue": sales["total_revenue"],
            "average_order_value": sales["average_order_value"],
        },
        "orders_analysis": {"by_status": sales["by_status"], "by_category": sales["by_category"]},
        "most_active_user": sales["most_active_user"],
    }
