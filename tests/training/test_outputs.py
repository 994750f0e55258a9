import pytest

from residual_ensembles.training import Outputs


@pytest.mark.parametrize(
    "written", ['{"fingerprint": "abd"}', "[]", "5", "null", '{"fingerprint": "ab', ""]
)
def test_another_or_a_damaged_run_is_not_this_one(tmp_path, written):
    outputs = Outputs(tmp_path)
    for file in (outputs.model, outputs.history):
        file.write_text("")
    outputs.run.write_text('{"fingerprint": "abc"}')
    assert outputs.finished("abc")
    outputs.run.write_text(written)
    assert not outputs.finished("abc")
