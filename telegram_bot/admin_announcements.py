"""Announcements at the desk: written, looked at, confirmed, watched."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin_pages import LookPage, Table, address_of, keep_in_log, link_column, link_to, list_address
from accounts.models import Staff
from telegram_bot import announcements
from telegram_bot.models import Announcement, Delivery
from telegram_bot.rendering import Rendered, render, split
from telegram_bot.rendering.entities import Units

ANNOUNCE = "telegram_bot.announce"
REFRESH_SECONDS = 3  # how often the page of a running announcement counts anew
State = Announcement.State


class AnnouncementForm(forms.ModelForm[Announcement]):
    """Both texts, each of them one message."""

    class Meta:
        model = Announcement
        fields = ("audience", "language", "text_en", "text_ru")
        widgets = {
            "text_en": UnfoldAdminTextareaWidget(attrs={"rows": 8}),
            "text_ru": UnfoldAdminTextareaWidget(attrs={"rows": 8}),
        }

    def clean_text_en(self) -> str:
        return _one_message(self.cleaned_data["text_en"])

    def clean_text_ru(self) -> str:
        return _one_message(self.cleaned_data["text_ru"])


def _people(number: int) -> str:
    return f"{number:,} {'person' if number == 1 else 'people'}"


def _one_message(text: str) -> str:
    pieces = len(split(text))
    if pieces != 1:
        raise ValidationError("There is nothing to see." if not pieces else "It is longer than one message.")
    return text


@admin.register(Announcement)
class AnnouncementPage(LookPage[Announcement]):
    """A word to many. While it is a draft it may be changed; then it may be paused and resumed."""

    form = AnnouncementForm
    list_display = ("shown", "audience", "language", "state_shown", "made_by", "created_at", "finished_at")
    list_filter = ("state", "audience", "language")
    list_select_related = ("made_by",)
    search_fields = ("text_en", "text_ru")
    date_hierarchy = "created_at"
    readonly_fields = ("as_seen_en", "as_seen_ru", "state", "made_by", "created_at", "confirmed_at")
    actions_detail = ("preview", "send", "pause", "resume")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ANNOUNCE)

    def has_view_permission(self, request: HttpRequest, obj: Announcement | None = None) -> bool:
        return request.user.has_perm(ANNOUNCE) or super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Announcement | None = None) -> bool:
        return request.user.has_perm(ANNOUNCE) and (obj is None or obj.state == State.DRAFT)

    def has_announce_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return request.user.has_perm(ANNOUNCE)

    def get_fieldsets(self, request: HttpRequest, obj: Announcement | None = None) -> Any:
        words = (None, {"fields": (("audience", "language"), "text_en", "text_ru")})
        if obj is None:
            return [words]
        seen = ("As people see it", {"fields": ("as_seen_en", "as_seen_ru")})
        fate = ("Its way", {"fields": (("state", "made_by"), ("created_at", "confirmed_at"))})
        if obj.state == State.DRAFT:
            return [words, seen, fate]
        return [(None, {"fields": (("audience", "language"),)}), seen, fate]

    def save_model(self, request: HttpRequest, obj: Announcement, form: Any, change: bool) -> None:
        assert isinstance(request.user, Staff)
        if not change:
            obj.made_by = request.user
        super().save_model(request, obj, form, change)

    @admin.display(description="announcement", ordering="pk")
    def shown(self, row: Announcement) -> str:
        return render(row.text_en).text[:60] or str(row)

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={"Draft": "info", "Sending": "primary", "Paused": "warning", "Done": "success"},
    )
    def state_shown(self, row: Announcement) -> str:
        return row.get_state_display()

    @admin.display(description="English")
    def as_seen_en(self, row: Announcement) -> SafeString:
        return bubble(render(row.text_en))

    @admin.display(description="Russian")
    def as_seen_ru(self, row: Announcement) -> SafeString:
        return bubble(render(row.text_ru))

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """What can be done with it as it stands."""
        row = Announcement.objects.filter(pk=object_id).only("state").first()
        possible = {
            State.DRAFT: {"preview", "send"},
            State.SENDING: {"pause"},
            State.PAUSED: {"preview", "resume"},
        }.get(State(row.state) if row else State.DONE, set())
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in actions if one.path.removesuffix("/") in possible]

    def tables(self, request: HttpRequest, obj: Announcement) -> Iterable[Table]:
        if obj.state == State.DRAFT:
            return
        words = dict(Delivery.State.choices)
        yield Table(
            "People",
            ("How it went", "How many"),
            [(str(words[state]), f"{count:,}") for state, count in announcements.counts(obj).items()],
            list_address(Delivery, announcement__id__exact=obj.pk),
        )

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """While it is being sent the page comes again by itself: a header does what a script would."""
        response = super().change_view(request, object_id, *args, **kwargs)
        if Announcement.objects.filter(pk=object_id, state=State.SENDING).exists():
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    # What is done with it ------------------------------------------------------------------------

    @action(description="Show it to me", icon="visibility", permissions=["announce"])  # type: ignore[untyped-decorator]
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def show(row: Announcement) -> str:
            assert isinstance(request.user, Staff)
            if announcements.ask_for_preview(row.pk, request.user):
                return "The bot sends both texts to you on Telegram."
            return "Your account is linked to nobody on Telegram; a superuser can do that under Staff."

        return self._sure(
            request,
            object_id,
            show,
            title="Show it to me on Telegram",
            explanation="The bot sends you both texts, as they will look.",
            button="Show it to me",
        )

    @action(description="Send…", icon="send", permissions=["announce"])  # type: ignore[untyped-decorator]
    def send(self, request: HttpRequest, object_id: str) -> HttpResponse:
        number = announcements.audience_of(self.found(request, object_id)).count()
        minutes = max(1, round(number / announcements.PER_SECOND / 60))
        people = _people(number)
        return self._sure(
            request,
            object_id,
            lambda row: f"Sent to {_people(announcements.confirm(row.pk))}: draft → sending.",
            title=f"Send it to {people}?",
            explanation=f"It takes about {minutes:,} min. It can be paused, not taken back.",
            button=f"Send to {people}",
        )

    @action(description="Pause", icon="pause", permissions=["announce"])  # type: ignore[untyped-decorator]
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._sure(
            request,
            object_id,
            lambda row: "Paused: sending → paused." if announcements.pause(row.pk) else "It was not sending.",
            title="Pause",
            explanation="Nobody more gets it until it is resumed.",
            button="Pause",
        )

    @action(description="Resume", icon="play_arrow", permissions=["announce"])  # type: ignore[untyped-decorator]
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._sure(
            request,
            object_id,
            lambda row: (
                "Resumed: paused → sending." if announcements.resume(row.pk) else "It was not paused."
            ),
            title="Resume",
            explanation="The people who have not got it yet get it now.",
            button="Resume",
        )

    def _sure(
        self, request: HttpRequest, object_id: str, do: Callable[[Announcement], str], **words: str
    ) -> HttpResponse:
        """Ask once more, do it, keep it in the log, and go back to the announcement."""
        row = self.found(request, object_id)
        if request.method != "POST":
            return self.form_page(request, row, forms.Form(), **words)
        done = do(row)
        keep_in_log(request, row, done)
        messages.info(request, done)
        return HttpResponseRedirect(address_of(row))


@admin.register(Delivery)
class DeliveryPage(LookPage[Delivery]):
    """What became of an announcement for each person."""

    list_display = ("shown", "person", "announcement_link", "state", "claimed_at", "error")
    list_filter = ("state",)
    list_select_related = ("user", "announcement")
    search_fields = ("=user__telegram_id", "user__username")
    search_help_text = "A username or a Telegram id"
    fields = (("announcement_link", "person"), ("state", "claimed_at"), "error")
    readonly_fields = ("announcement_link", "person")
    person = link_column("user", "person")

    @admin.display(description="delivery", ordering="pk")
    def shown(self, row: Delivery) -> str:
        return str(row)

    @admin.display(description="announcement")
    def announcement_link(self, row: Delivery) -> SafeString:
        return link_to(row.announcement)


def bubble(message: Rendered) -> SafeString:
    """A message as Telegram shows it: every stretch with the styles that lie over it, links as words only."""
    units = Units(message.text)
    spans = [(units.reach(0, one.offset), units.reach(0, one.end), one.type) for one in message.entities]
    cuts = sorted({0, len(message.text), *(at for begin, end, _ in spans for at in (begin, end))})
    stretches = [
        (
            " ".join(f"starling-{kind}" for begin, end, kind in spans if begin <= left and right <= end),
            message.text[left:right],
        )
        for left, right in pairwise(cuts)
    ]
    return format_html(
        '<div class="starling-bubble">{}</div>',
        format_html_join("", '<span class="{}">{}</span>', stretches),
    )
