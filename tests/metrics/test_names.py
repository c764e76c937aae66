import importlib
import pkgutil
import types

import pytest

import latentlab
import metrics


@pytest.mark.parametrize("package", [latentlab, metrics], ids=lambda package: package.__name__)
def test_importing_a_module_by_its_name_gives_the_module(package):
    # ``import metrics.droplets as m`` gave the function that was called as its module.
    names = [found.name for found in pkgutil.iter_modules(package.__path__)]
    assert len(names) > 10
    for name in names:
        module = importlib.import_module(f"{package.__name__}.{name}")
        assert isinstance(module, types.ModuleType)
        assert getattr(package, name) is module


@pytest.mark.parametrize("package", [latentlab, metrics], ids=lambda package: package.__name__)
def test_no_public_name_hides_a_module(package):
    modules = {found.name for found in pkgutil.iter_modules(package.__path__)}
    public = {
        name for name in package.__all__ if not isinstance(getattr(package, name), types.ModuleType)
    }
    assert not public & modules
