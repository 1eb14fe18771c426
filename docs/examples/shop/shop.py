"""A shop that takes money by Tandem's checkout: one page, and this small server. Python alone.

TANDEM_URL=http://127.0.0.1:8080 TANDEM_KEY=tk_mer_… TANDEM_SECRET=chk_… TANDEM_SHOP=shp_… \
        python shop.py 9000
"""

import base64
import hmac
import json
import os
import secrets
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

TANDEM, KEY, SECRET, SHOP = (
    os.environ[f"TANDEM_{name}"] for name in ("URL", "KEY", "SECRET", "SHOP")
)
PAGE = (Path(__file__).parent / "index.html").read_text("utf-8").replace("{TANDEM}", TANDEM)
orders: dict[str, dict] = {}  # a shop of yours has a database


def new_session(home: str) -> dict:
    """Ask Tandem for a page on which this order is paid. The price is ours, not the browser's."""
    number = f"order-{secrets.token_hex(4)}"
    order = {
        "shop_id": SHOP,
        "amount": 3800,
        "currency": "CNY",
        "lines": [{"name": "Flat white", "unit_amount": 1900, "quantity": 2}],
        "order_reference": number,
        "success_url": f"{home}/thanks",
        "cancel_url": home,
    }
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{TANDEM}/v1/checkout/sessions",
        json.dumps(order).encode(),
        headers | {"Idempotency-Key": number},
    )
    with urllib.request.urlopen(request) as answer:
        orders[number] = json.load(answer)
    return orders[number]


def read_result(result: str) -> dict | None:
    """What a signed result says, None if it is not Tandem's, or too old."""
    signed, _, mac = result.rpartition(".")
    right = hmac.digest(SECRET.encode(), signed.encode(), "sha256")
    if not hmac.compare_digest(base64.urlsafe_b64encode(right).rstrip(b"="), mac.encode()):
        return None
    claims = json.loads(base64.urlsafe_b64decode(signed.split(".")[1] + "=="))
    return claims if claims["exp"] > time.time() else None


def paid(result: str) -> str | None:
    """The number of the order that this result says is paid: one of ours, by its own session."""
    claims = read_result(result)
    order = orders.get(claims["reference"]) if claims else None
    if order and order["id"] == claims["sub"] and claims["status"] == "captured":
        return claims["reference"]
    return None


class Shop(BaseHTTPRequestHandler):
    """The page, a session for who presses its button, and where they come back to."""

    def do_GET(self) -> None:
        """Show the shop, or what came of an order. Sending goods twice is up to your database."""
        url = urlsplit(self.path)
        if url.path == "/thanks":
            number = paid(parse_qs(url.query).get("tandem_result", [""])[0])
            self.say(f"<h1>{f'Thank you: {number} is paid' if number else 'Not paid'}</h1>")
        else:
            self.say(PAGE)

    def do_POST(self) -> None:
        """Make a session; the button opens its address."""
        session = new_session(f"http://{self.headers['Host']}")
        self.say(json.dumps({"url": session["url"]}), "application/json")

    def say(self, text: str, kind: str = "text/html; charset=utf-8") -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
