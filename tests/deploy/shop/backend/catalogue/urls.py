from django.urls import path

from . import views

urlpatterns = [
    path("", views.products, name="products"),
    path("order/", views.order, name="order"),
    path("deliver/", views.deliver, name="deliver"),
    path("staff/", views.staff, name="staff"),
]
