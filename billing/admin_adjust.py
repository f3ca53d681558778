"""Adjusting a balance by hand: a reason always, once per form, and a second pair of eyes for large amounts."""

import uuid
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from accounts.admin_pages import LookPage, ReasonForm, address_of, keep_in_log
from accounts.models import Staff, User
from accounts.money import cost_dollars, dollars, exact_dollars
from billing import ledger
from billing.errors import KeyMisused
from billing.models import BalanceOperation

ADJUST_BALANCE = "billing.adjust_balance"
ALONE_MAX = Decimal(50)  # dollars; more than this one person asks for and another confirms
CONFIRM_SECONDS_MAX = 24 * 3600  # how long a request for confirmation is good
SALT = "billing.admin_adjust"
USED = "This form was sent before with other words or numbers. Open it anew."


class AdjustForm(ReasonForm):
    """How much and why. `form` is this form's own id, and the key of the operation: a second click of
    the same form finds the first click's operation."""

    amount = forms.DecimalField(
        max_digits=20,
        decimal_places=9,  # as the columns of dollars
        min_value=-ledger.AMOUNT_MAX,
        max_value=ledger.AMOUNT_MAX,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "autofocus": True}),
        help_text=(
            "US dollars; with a minus sign it lowers the balance. "
            f"More than {dollars(ALONE_MAX)} a second person has to confirm."
        ),
    )
    form = forms.UUIDField(widget=forms.HiddenInput)
    field_order = ("amount", "reason", "form")

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not amount:
            raise ValidationError("Nothing would change.")
        return amount


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One adjustment somebody of the staff wants: signed, it travels in the address of its confirmation."""

    person: int
    amount: str
    reason: str
    form: str
    asked_by: int

    @property
    def key(self) -> str:
        return f"admin:{self.form}"

    @property
    def dollars(self) -> Decimal:
        return Decimal(self.amount)


def adjust(page: LookPage[Any], request: HttpRequest, person_id: int) -> HttpResponse:
    """Correct a person's balance by hand, or ask for it to be confirmed when it is much."""
    staff = _who_may(request)
    person = get_object_or_404(User, pk=person_id)
    form = AdjustForm(request.POST or None, initial={"form": uuid.uuid4()})
    if form.is_valid():
        wanted = Adjustment(
            person=person.pk,
            amount=str(form.cleaned_data["amount"]),
            reason=form.cleaned_data["reason"],
            form=str(form.cleaned_data["form"]),
            asked_by=staff.pk,
        )
        if abs(wanted.dollars) > ALONE_MAX:
            _ask(request, person, wanted)
            return HttpResponseRedirect(address_of(person))
        if _adjusted(request, person, wanted, wanted.reason):
            return HttpResponseRedirect(address_of(person))
        form.add_error(None, USED)
    return page.form_page(
        request, person, form, title="Adjust balance", explanation=_state_of(person), button="Adjust balance"
    )


def confirm(page: LookPage[Any], request: HttpRequest, signed: str) -> HttpResponse:
    """The second pair of eyes: the same adjustment, made by somebody else than who asked for it."""
    staff = _who_may(request)
    try:
        wanted = Adjustment(**signing.loads(signed, salt=SALT, max_age=CONFIRM_SECONDS_MAX))
    except signing.BadSignature as error:  # too old is one of these
        raise PermissionDenied("This request is not ours, or older than a day.") from error
    asker = get_object_or_404(Staff, pk=wanted.asked_by, is_active=True)
    if asker == staff:
        raise PermissionDenied("Somebody else has to confirm what you asked for.")
    person = get_object_or_404(User, pk=wanted.person)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if _adjusted(request, person, wanted, f"{wanted.reason} (asked for by {asker})"):
            return HttpResponseRedirect(address_of(person))
        form.add_error(None, "This was confirmed before, by somebody else.")
    return page.form_page(
        request,
        person,
        form,
        title=f"Adjust balance by {exact_dollars(wanted.dollars)}?",
        explanation=f"{asker} asks for it: {wanted.reason} {_state_of(person)}",
        button="Confirm",
    )


def _who_may(request: HttpRequest) -> Staff:
    if not (isinstance(request.user, Staff) and request.user.has_perm(ADJUST_BALANCE)):
        raise PermissionDenied
    return request.user


def _state_of(person: User) -> str:
    held = f", of which running turns hold {cost_dollars(person.held)}" if person.held else ""
    return f"{person.display_name} has {dollars(person.balance)}{held}."


def _ask(request: HttpRequest, person: User, wanted: Adjustment) -> None:
    """Write the wish down and hand out the address where somebody else confirms it."""
    keep_in_log(request, person, f"Asked to adjust by {exact_dollars(wanted.dollars)}: {wanted.reason}")
    signed = signing.dumps(asdict(wanted), salt=SALT)
    address = request.build_absolute_uri(reverse("admin:billing_balanceoperation_confirm", args=[signed]))
    messages.warning(
        request,
        format_html(
            "Nothing is changed yet: somebody else who may adjust balances has to confirm it within a day, "
            '<a class="underline" href="{}">at this address</a>. Send it to them.',
            address,
        ),
    )


def _adjusted(request: HttpRequest, person: User, wanted: Adjustment, reason: str) -> bool:
    """Move the money and log it, together; False when this form's id was used for something else."""
    assert request.user.pk is not None, "only staff come here"
    try:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=person.pk)  # two clicks at once come one after the other
            is_new = not BalanceOperation.objects.filter(key=wanted.key).exists()
            operation = ledger.adjust(
                person.pk, key=wanted.key, amount=wanted.dollars, reason=reason, actor_id=request.user.pk
            )
            before, after = operation.balance_after - operation.amount, operation.balance_after
            change = f"{exact_dollars(before)} → {exact_dollars(after)}"
            if is_new:
                amount = exact_dollars(operation.amount)
                keep_in_log(request, person, f"Adjusted the balance by {amount}, {change}: {reason}")
    except KeyMisused:
        return False
    messages.success(request, f"Balance adjusted: {change}.")
    return True
