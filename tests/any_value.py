"""Values for the variables of a manifest, as `--set` gives them."""


class AnyValue(dict):
    """A value for each variable that a manifest asks for."""

    def get(self, key, _=None):
        return "123456789012" if key == "ACCOUNT_ID" else "given"
