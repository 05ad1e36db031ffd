from django_websocket import websocket

from .models import Product


@websocket
def stock(request, websocket):
    """Every change of the stock; and how much there is of a product whose name the client sends."""
    websocket.subscribe("stock")
    for name in websocket:
        product = Product.objects.filter(name=name).first()
        websocket.send_json({"product": name, "stock": product and product.stock})
