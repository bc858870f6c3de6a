"""The formats that reports are written in: every module of this folder is one, and registers itself.

A new format is a new file here and nothing else.
"""

import importlib
import pkgutil

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")
