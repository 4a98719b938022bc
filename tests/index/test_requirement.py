"""Requirements that a package, a build or a pull request may write."""

import pytest
from layers import assembled, target
from package_index import make_wheel
from packaging.requirements import InvalidRequirement

from entrypoint.errors import Location, ManifestError
from entrypoint.index.requirement import read_requirement
from entrypoint.layer.verify import verify
from entrypoint.lock.requirements import read_requirements
from entrypoint.manifest.model import Requirements

NESTED = f"six; {'(' * 5000}os_name == 'posix'{')' * 5000}"


def test_nesting_is_limited():
    assert str(read_requirement("six (>=1); (os_name == 'posix')").specifier) == ">=1"
    with pytest.raises(InvalidRequirement, match="more than 100 parentheses"):
        read_requirement(NESTED)


@pytest.mark.parametrize("requirement", [NESTED, "six; os_name ~= 'a'"])
def test_a_package_whose_requirement_cannot_be_read(tmp_path, requirement):
    wheel = make_wheel(tmp_path, "tiny", "1.0", requires=(requirement,))
    assert verify(assembled(tmp_path, wheel), target()) == ()


def test_a_file_with_a_nested_requirement(tmp_path):
    (tmp_path / "web.in").write_text(NESTED)
    given = Requirements(files=(tmp_path / "web.in",), location=Location("lambda-layers.yml"))
    with pytest.raises(ManifestError, match="more than 100 parentheses"):
        read_requirements(given)
