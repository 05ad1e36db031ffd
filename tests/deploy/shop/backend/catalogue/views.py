from django.conf import settings
from django.core.cache import cache
from django.db.models import F
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST
from django_websocket import publish

from config import VERSION

from .models import Product, Shift
from .tasks import confirm


def products(request):
    visits = cache.get_or_set("visits", 0, timeout=None) + 1
    cache.set("visits", visits, timeout=None)
    found = Product.objects.order_by("name")
    context = {"products": found, "version": VERSION, "visits": visits}
    return render(request, "catalogue/products.html", context)


@require_POST
def order(request):
    """One of a product; every open page gets the new stock, and the worker confirms it."""
    product = get_object_or_404(Product, name=request.POST["product"], stock__gt=0)
    Product.objects.filter(pk=product.pk).update(stock=F("stock") - 1)
    product.refresh_from_db()
    publish("stock", {"product": product.name, "stock": product.stock})
    confirm.delay(product.name)
    return redirect("products")


@require_POST
def deliver(request):
    """More of a product, with its leaflet if there is one."""
    product, _ = Product.objects.get_or_create(name=request.POST["product"])
    product.stock += int(request.POST["number"])
    product.leaflet = request.FILES.get("leaflet") or product.leaflet
    product.save()
    return redirect("products")


def staff(request):
    """Who works, where, and on which version."""
    shifts = {
        shift.role: {"branch": shift.branch, "version": shift.version, "tasks": shift.tasks}
        for shift in Shift.objects.all()
    }
    shifts["pages"] = {"branch": settings.BRANCH, "version": VERSION}
    return JsonResponse({"staff": shifts})
