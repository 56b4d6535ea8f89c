"""The image, built once."""

from __future__ import annotations

import pytest

from tests.container.image import Builder, Image


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Builder(tmp_path_factory.mktemp("image")).build()
