"""Sign-up. Django has the other pages of accounts; their templates are in examples/."""

from typing import Any

from django.contrib.auth import get_user_model, login
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.views import RedirectURLMixin
from django.forms import EmailField
from django.http import HttpResponse, HttpResponseRedirect
from django.views.generic import FormView


class SignUpForm(UserCreationForm):
    """The address is where a new password can be asked for."""

    email = EmailField(
        required=False, help_text="Optional; you need it if you forget your password."
    )

    class Meta(UserCreationForm.Meta):
        model = get_user_model()
        fields = ("username", "email")


class SignUp(RedirectURLMixin, FormView):
    """Make an account, log in to it, and go on to ``?next=``."""

    form_class = SignUpForm
    template_name = "registration/signup.html"
    next_page = "/"

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        login(self.request, form.save())
        return HttpResponseRedirect(self.get_success_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=self.get_redirect_url(), **kwargs)
