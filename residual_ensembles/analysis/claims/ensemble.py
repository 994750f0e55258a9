"""Claim 22: ensemble-like behaviour (Sections 2 and 4.2)."""

from residual_ensembles.analysis.claims.claim import Claim, above, not_measured

CLAIMS = (
    Claim(
        id="22",
        words="Like an ensemble: the more members, the smaller the gain from one more.",
        source="Sections 2 and 4.2",
        figure="",
        paper_value=None,
        measure="Gain of the first added member minus gain of the last, paths of the residual "
        "network beside a few small networks of the same total cost that vote",
        target=above(0),
        find=not_measured,
        settle="An ensemble of small networks trained beside the residual one.",
    ),
)
