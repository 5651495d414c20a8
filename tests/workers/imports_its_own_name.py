"""An import that fails inside, for want of a module of its own."""

import imports_its_own_name.part  # noqa: F401
