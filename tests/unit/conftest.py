"""What tests of a scenario's rules share: the valid scenario of their module (``VALID``), and what is wrong with it."""

import pytest

from dcsim.scenario import ScenarioError, load


@pytest.fixture
def scenario(tmp_path, request):
    """Load the valid scenario with changes."""
    path = tmp_path / "a.toml"
    path.write_text(request.module.VALID)
    return lambda *changes: load(path, set=changes)


@pytest.fixture
def broken(scenario):
    """The problems of the valid scenario with changes, as `path: message`."""

    def of(*changes):
        with pytest.raises(ScenarioError) as caught:
            scenario(*changes)
        return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]

    return of
