from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "tools"

    def ready(self) -> None:
        # Both read models, which stand only once every app is loaded.
        from conversations import write_behind  # noqa: PLC0415
        from tools import services  # noqa: PLC0415

        write_behind.register(services.KIND, services.write_tool_calls)
