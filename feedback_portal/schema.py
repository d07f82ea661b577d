"""What the API's own description cannot read off the code."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Every endpoint is called with `Authorization: Bearer fbp_…`."""

    target_class = "feedback_portal.api.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "fbp_…"}
