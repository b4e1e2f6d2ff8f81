"""Names and versions of what is built; the builds themselves are the other tests' business."""

from __future__ import annotations

import pytest

from tests.lab.build import SOURCE, Program, content_hash, kubernetes_version, linker_flags


@pytest.mark.parametrize("module", sorted(path.name for path in SOURCE.glob("*.mod")))
def test_a_module_file_holds_the_minor_of_its_name(module: str) -> None:
    program = Program("lab", SOURCE, module)
    version = kubernetes_version(program)
    assert module == "go.mod" or version.startswith(f"v{module.removeprefix('go-').removesuffix('.mod')}.")
    assert program.file == f"lab{module.removeprefix('go').removesuffix('.mod')}"
    assert f"gitVersion={version} " in linker_flags(program)


def test_another_module_file_is_another_binary() -> None:
    modules = [path.name for path in SOURCE.glob("*.mod")]
    assert len({content_hash(Program("lab", SOURCE, module)) for module in modules}) == len(modules)
