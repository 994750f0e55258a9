from residual_ensembles.lesions import Lesion, PlannedLesion, intact
from residual_ensembles.lesions.fingerprint import fingerprint


def test_another_network_data_plan_or_setting_is_another_sweep(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    other = [*intact(), PlannedLesion("single_deletion", 0, Lesion(deletions=[1]))]
    same = [fingerprint(tmp_path / "a", "data", intact(), {"seed": 1}) for _ in range(2)]
    different = [
        fingerprint(tmp_path / "b", "data", intact(), {"seed": 1}),
        fingerprint(tmp_path / "a", "more", intact(), {"seed": 1}),
        fingerprint(tmp_path / "a", "data", other, {"seed": 1}),
        fingerprint(tmp_path / "a", "data", intact(), {"seed": 2}),
    ]
    assert same[0] == same[1]
    assert len({same[0], *different}) == 5
    assert len(same[0]) == 16
