"""A module that makes its functions when they are asked for, and fails at some."""

import os as _delegate

_table = {"there": lambda: "there"}


def __getattr__(name):
    if name in _table:
        return _table[name]
    if name == "broken":
        return None.part
    if name == "nothing":
        return None.nothing
    if name == "lazy":
        import module_that_is_not_there

        return module_that_is_not_there
    if name == "lazy_as_attribute":
        try:
            import module_that_is_not_there  # noqa: F401
        except ImportError as error:
            raise AttributeError(name) from error
    if name == "deep":
        _fails()
    if name.startswith("delegated"):
        return getattr(_delegate, name)
    try:
        return _table[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def _fails():
    raise AttributeError("the settings are not loaded")


class Meta(type):
    @property
    def of_meta(cls):
        return None.part

    @property
    def raises(cls):
        raise ZeroDivisionError("of_meta")


class Thing(metaclass=Meta):
    @staticmethod
    def method():
        return "method"


class _Instance:
    @property
    def of_instance(self):
        return None.part

    def __getattr__(self, name):
        return self.__getattribute__(name)


instance = _Instance()
