"""The roles' interfaces: defaults, argument_specs and READMEs say the same."""

import re

import pytest
import roles
import yaml

INVENTORIES = roles.ROLES.parent / "inventories"
HEADINGS = ["Variables", "Files on the host", "Notes"]
#: What a role derives for others from the groups, or the vault overrides; not for people to set.
DERIVED = {"stack", "preflight"}


@pytest.mark.parametrize("role", roles.names())
def test_what_has_a_default_is_declared_and_prefixed(role):
    undeclared = set(roles.defaults(role)) - set(roles.options(role))
    if role not in DERIVED:
        assert {name for name in undeclared if not name.startswith(f"{role}_")} == set()
        assert undeclared <= {"base_group_rules", "base_private_rules"}
    assert all(name.startswith(f"{role}_") for name in roles.options(role))


@pytest.mark.parametrize("role", roles.names())
def test_a_default_has_the_declared_type(role):
    types = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict}
    for name, option in roles.options(role).items():
        default = roles.defaults(role).get(name)
        if default is not None and "{{" not in str(default):
            assert isinstance(default, types[option["type"]]), name
            assert default in option.get("choices", [default]), name


@pytest.mark.parametrize("role", roles.names())
def test_the_readme_has_the_one_shape_and_the_current_table(role):
    text = roles.readme(role).read_text()
    assert re.findall(r"^## (.+)$", text, re.M) == HEADINGS
    table = text.split(roles.BEGIN)[1].split(roles.END)[0]
    assert table == roles.table(role), "run: python tests/deploy/roles.py"


@pytest.mark.parametrize("name", sorted(path.name for path in INVENTORIES.iterdir()))
def test_an_inventory_has_every_group(name):
    inventory = yaml.safe_load((INVENTORIES / name / "hosts.yml").read_text())
    children = inventory["all"]["children"]
    assert set(children) == {"proxy", "web", "websocket", "redis", "postgresql"}
    assert all(group["hosts"] for group in children.values())
