from django.urls import include, path

urlpatterns = [
    path("allauth/", include("allauth.urls")),
    path("", include("project.urls")),
]
