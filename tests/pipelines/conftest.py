import pytest

from tests.helpers.clones import Clone

MORE = """
networks: [resnet, vgg]
ensemble: {members: 1, depth: 8, epochs: 1}
paths: {samples: 3, batches: 2, batch_size: 8}
"""
# A study that is only switched to and back from; it shares a network with the other.
LESS = """
networks: [resnet, highway]
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
