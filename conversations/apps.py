from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        # Both read models, which stand only once every app is loaded.
        from conversations import tasks, write_behind  # noqa: PLC0415

        write_behind.when_full(tasks.flush_soon)
