from django.urls import path

from catalogue.sockets import stock

urlpatterns = [path("shop/stock/", stock, name="stock")]
