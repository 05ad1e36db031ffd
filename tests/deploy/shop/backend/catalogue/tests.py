from django.test import TestCase
from django_websocket.test import WebSocketClient

from .models import Product


class Orders(TestCase):
    def test_an_order_takes_one_from_the_stock(self):
        Product.objects.create(name="tea", stock=2)
        self.client.post("/shop/order/", {"product": "tea"})
        self.assertContains(self.client.get("/shop/"), ">1</output>")

    def test_a_socket_says_how_much_there_is(self):
        Product.objects.create(name="tea", stock=2)
        with WebSocketClient().connect("/shop/stock/") as websocket:
            websocket.send("tea")
            self.assertEqual(websocket.receive_json(), {"product": "tea", "stock": 2})
