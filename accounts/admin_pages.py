"""What every page of the admin is made of: for looking only, quick on large tables, and silent about
what people wrote until somebody who may read it asks, which is logged."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.money import dollars

if TYPE_CHECKING:  # unfold has no types; its classes are these
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.admin import ModelAdmin
    from unfold.views import ChangeList

M = TypeVar("M", bound=Model)

READ_WORDS = "conversations.read_words"  # the permission to read what people and models said
ASKED = "words"  # the query parameter of a page that shows them
COUNTED_MAX = 10_000  # rows; a list longer than this is searched or filtered, not leafed through
ROWS_MAX = 50  # rows of a table on another thing's page
REASON_MAX = 255  # characters; the width of User.blocked_reason
LOGGED_MAX = 200  # characters of one value in the log
NOTHING = "–"


class CountedToALimit(Paginator[M]):
    """Pages of a list whose length is counted only so far: no list page scans a table to its end."""

    template_name = "admin/pages.html"
    more = False  # are there more rows than were counted?

    @cached_property
    def count(self) -> int:
        assert isinstance(self.object_list, QuerySet), "the admin's lists are"
        rows = self.object_list.order_by()[: COUNTED_MAX + 1].count()
        self.more = rows > COUNTED_MAX
        return min(rows, COUNTED_MAX)


class QuickList(ChangeList):
    """A list that is not counted twice: what no filter narrows is whole."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            self.full_result_count = self.result_count


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of other models on a thing's page; `link` leads to all of them."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str | SafeString]]
    link: str = ""


class LookPage(ModelAdmin[M]):
    """A model's pages for looking: nothing is added, changed or deleted unless a subclass says so."""

    show_full_result_count = False
    paginator = CountedToALimit
    list_per_page = ROWS_MAX
    list_max_show_all = 0
    ordering: ClassVar[Any] = ("-pk",)
    actions: Any = None  # none at all: deleting in bulk would come first
    change_form_outer_after_template = "admin/tables.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QuickList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def tables(self, request: HttpRequest, obj: M) -> Iterable[Table]:
        """What else the page of a thing shows below its own fields."""
        return ()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        obj = kwargs.get("obj")
        if obj is not None:
            context["tables"] = list(self.tables(request, obj))
        return super().render_change_form(request, context, *args, **kwargs)

    def construct_change_message(
        self, request: HttpRequest, form: forms.Form, formsets: Any, add: bool = False
    ) -> Any:
        """What the log keeps of a form: each field that changed, with what it was and what it is."""
        if add:
            return "Added: " + _listed(form, lambda _before, after: after)
        return "Changed: " + _listed(form, lambda before, after: f"{before} → {after}")

    def has_read_words_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may_read(request)

    # Doing something to one row, for a reason ----------------------------------------------------

    def found(self, request: HttpRequest, object_id: str) -> M:
        """The row of an address, for those who may see it."""
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id}.")
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        return obj

    def form_page(self, request: HttpRequest, obj: Model, form: forms.Form, **words: str) -> HttpResponse:
        """A page with a form about one row; `words` are its title, explanation and button."""
        context = {
            **self.admin_site.each_context(request),
            "opts": obj._meta,
            "original": obj,
            "back": address_of(obj),
            "form": form,
            **words,
        }
        return TemplateResponse(request, "admin/form_page.html", context)

    def act(
        self, request: HttpRequest, object_id: str, do: Callable[[M, str], object], *, done: str, **words: str
    ) -> HttpResponse:
        """Ask for a reason, do it, keep both in the log, and go back to the row."""
        obj = self.found(request, object_id)
        form = ReasonForm(request.POST or None)
        if not form.is_valid():
            return self.form_page(request, obj, form, **words)
        reason = form.cleaned_data["reason"]
        do(obj, reason)
        keep_in_log(request, obj, f"{done} {reason}")
        messages.success(request, done)
        return HttpResponseRedirect(address_of(obj))


class WordsPage(LookPage[M]):
    """Pages of a model that holds what people or models said.

    The fields named in `words` are shown on the page of one row only, only to those with the permission,
    and only when they ask. Each time is logged. `closed` are the columns they come from: no list may be
    filtered by those, or a filter in the address would tell, guess by guess, what nobody may read.
    """

    words: Sequence[str] = ()
    closed: Sequence[str] = ()
    actions_detail: Sequence[str] = ("read_the_words",)

    @action(description="Read the words", icon="visibility", permissions=["read_words"])  # type: ignore[untyped-decorator]
    def read_the_words(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(f"{address_of(self.found(request, object_id))}?{ASKED}=1")

    def reads(self, request: HttpRequest) -> bool:
        """Does this page show the words? Raises PermissionDenied when it is asked to and may not."""
        if ASKED not in request.GET:
            return False
        if not may_read(request):
            raise PermissionDenied
        return True

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        if lookup.partition("__")[0] in self.closed:
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    def get_fieldsets(self, request: HttpRequest, obj: M | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not self.words or not self.reads(request):
            return fieldsets
        return [*fieldsets, ("Words", {"fields": self.words})]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        obj = kwargs.get("obj")
        if obj is not None and self.reads(request):
            keep_in_log(request, obj, "Read the words.")
        return super().render_change_form(request, context, *args, **kwargs)


class ReasonForm(forms.Form):
    """Why something is done."""

    reason = forms.CharField(
        max_length=REASON_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Kept with what you do, for whoever asks later.",
    )


def _listed(form: forms.Form, write: Callable[[str, str], str]) -> str:
    """The changed fields of a form, one after the other."""
    changes = [
        f"{name} {write(_short(form[name].initial), _short(form.cleaned_data.get(name)))}"
        for name in form.changed_data
    ]
    return "; ".join(changes) or NOTHING


def _short(value: object) -> str:
    """A value in the log: in full when it is a number or a word, its beginning when it is a text."""
    text = f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
    if value is None or text == "":
        return NOTHING
    return text if len(text) <= LOGGED_MAX else f"{text[:LOGGED_MAX]}…"


def keep_in_log(request: HttpRequest, obj: Model, words: str) -> None:
    """Write down what somebody of the staff did to a row, or saw of it."""
    assert request.user.pk is not None, "admin pages let nobody else in"
    LogEntry.objects.log_actions(request.user.pk, [obj], CHANGE, change_message=words, single_object=True)


def may_read(request: HttpRequest) -> bool:
    return request.user.has_perm(READ_WORDS)


def address_of(obj: Model) -> str:
    """The address of a row's own page."""
    opts = obj._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[quote(obj.pk)])


def list_address(model: type[Model], **filters: object) -> str:
    """The address of a model's list, filtered."""
    opts = model._meta
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist") + (f"?{query}" if query else "")


def link_to(obj: Model, words: str = "") -> SafeString:
    """A link to a row's own page."""
    return format_html('<a class="text-link" href="{}">{}</a>', address_of(obj), words or str(obj))


def when(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"


def money_column(
    name: str, description: str = "", *, written: Callable[[Decimal], str] = dollars
) -> Callable[..., str]:
    """A column or field that shows the dollars of the model's field `name`, as `written` writes them."""

    @admin.display(description=description or name.replace("_", " "), ordering=name)
    def shown(_page: Any, row: Any) -> str:
        amount: Decimal | None = getattr(row, name)
        return NOTHING if amount is None else written(amount)

    return shown


def link_column(name: str, description: str = "") -> Callable[..., SafeString | str]:
    """A column that shows the row of the foreign key `name` and leads there."""

    @admin.display(description=description or name, ordering=name)
    def shown(_page: Any, row: Any) -> SafeString | str:
        other = getattr(row, name)
        return NOTHING if other is None else link_to(other)

    return shown


def pre_column(name: str, description: str = "") -> Callable[..., SafeString | str]:
    """A field that shows the text of the model's field `name` as it stands, line by line."""

    @admin.display(description=description or name.replace("_", " "))
    def shown(_page: Any, row: Any) -> SafeString | str:
        text = getattr(row, name)
        return format_html('<pre class="starling-pre">{}</pre>', text) if text else NOTHING

    return shown
