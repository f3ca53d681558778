from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "tools"

    def ready(self) -> None:
        # They read models or settings, which stand only once every app is loaded.
        from conversations import write_behind  # noqa: PLC0415
        from tools import checks, services  # noqa: F401, PLC0415  (checks register themselves)

        write_behind.register(services.KIND, services.write_tool_calls)
