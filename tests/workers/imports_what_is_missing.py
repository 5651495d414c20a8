"""A module that is there but cannot be imported."""

import a_package_that_is_not_installed  # noqa: F401


def f():
    return None
