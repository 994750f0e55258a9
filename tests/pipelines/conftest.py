import pytest

from tests.helpers.clones import Clone

MORE = """
networks: [resnet, vgg]
ensemble: {members: 2, depth: 8, epochs: 1}
paths: {samples: 3, batches: 2, batch_size: 8}
"""
# What may be left out of a study, here of one that is only switched to and back from.
LESS = """
networks: [resnet]
ensemble: {members: 0}
paths: {samples: 0, batches: 1}
"""


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    """The clone after what `make reproduce` runs."""
    made = Clone(tmp_path_factory.mktemp("clone"), {"tiny": MORE, "tiny2": LESS})
    made.first_run = made.run("python", "-m", "pipelines.reproduce")
    made.commit("results")
    return made
