import json

from residual_ensembles.analysis import claims_table, read_tables


def test_a_study_of_imagenet_answers_claim_21(tmp_path):
    from tests.helpers.synthetic_study import write_study

    folder = write_study(tmp_path / "imagenet", networks=("resnet",), k=10, draws=4)
    path = folder / "networks" / "resnet-0" / "run.json"
    run = json.loads(path.read_text())
    run["dataset"] = {"name": "imagenet2012", "title": "ImageNet", "n_classes": 1000}
    path.write_text(json.dumps(run))
    table = claims_table(read_tables(folder)).set_index("id")
    assert table.verdict["21a"] == table.verdict["1"] == "reproduced"
    assert table.measured["21c"] == table.measured["7a"]
