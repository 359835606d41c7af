"""The attacks, by what they aim at. Each function is one: it starts what it attacks, fails as `Broken` where something does not hold, and may return what it saw."""

import importlib
import inspect
import pkgutil


def every() -> list:
    """All attacks, in the order of modules and lines."""
    found = []
    for module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        loaded = importlib.import_module(f"{__name__}.{module}")
        own = [one for name, one in vars(loaded).items() if inspect.isfunction(one) and one.__module__ == loaded.__name__ and hasattr(one, "attack")]
        found += sorted(own, key=lambda one: one.__code__.co_firstlineno)
    return found


def attack(function):
    """Marks a function as an attack."""
    function.attack = True
    return function
