"""What is found in networks that others have published, as docs/reference/networks.md lists it."""

from pathlib import Path

import pytest

from tests.helpers import published
from tests.helpers.checks import check

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "networks.md"


def numbered(*names, n):
    return [f"{name}{i}" for i in range(1, n + 1) for name in names]


# Written down before anything was run: names of the modules, and which of what is added stays.
EXPECTED = {
    "conv_mixer": (numbered("mix", n=3), 1),
    "vision_transformer": (numbered("attention", "mlp", n=2), 1),
    "u_net": (["down6", "down8", "up8", "up6", "up4"], 1),
    "wave_net": (numbered("residual", n=4), 0),
    "tcn": (numbered("residual", n=3), 0),
    "dn_cnn": (["denoised"], 0),
    "rezero_transformer": (numbered("attention", "mlp", n=2), 0),
    "inception_resnet": (numbered("block", n=3), 0),
    "mobile_net": (["block1", "block3", "block5"], 0),
    "encoder_decoder": (["outer"], 0),
    "alpha_zero": (numbered("residual", n=3), 0),
    "edsr": (numbered("block", n=3), 0),
    "mlp_mixer": (numbered("tokens", "channels", n=2), 0),
    "n_beats": (numbered("backcast", n=3), 0),
    "self_attention_gan": (["block1", "attention", "block2"], 1),
    "squeezed_resnext": (numbered("block", n=2), 0),
    # The encoder, then the decoder from where it has seen the encoder.
    "translator": (
        [
            *(f"encoder{i}_{kind}" for i in (1, 2) for kind in ("attention", "mlp")),
            "decoder1_mlp",
            "decoder2_attention",
            "decoder2_cross",
            "decoder2_mlp",
        ],
        0,
    ),
    "conformer": (["first", "attention", "convolution", "last"], 0),
    "swin_transformer": (numbered("attention", "mlp", n=2), 0),
    "pool_former": (numbered("pool", "mlp", n=2), 0),
    "gated_residual": (numbered("gated", n=2), 0),
    "diffusion_u_net": (["down1", "down2", "up1"], 0),
    "graph_network": (numbered("graph", n=2), 0),
    "parallel_transformer": (numbered("block", n=2), 0),
    "tab_net": (numbered("gated", n=6), 0),
    "style_gan": (numbered("block", n=2), 0),
    "stacked_lstm": (numbered("lstm", n=3), 0),
    "resnest": (numbered("block", n=2), 1),
}
OPTION_A = {20: 9, 32: 15, 44: 21, 56: 27}


def test_the_document_lists_them():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, (modules, _) in EXPECTED.items():
        assert f"| `{name}` | {len(modules)} |" in text
    assert f"| `option_a` | {', '.join(map(str, OPTION_A.values()))} |" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_published_networks(name, tmp_path):
    modules, skip = EXPECTED[name]
    check(getattr(published, name)(), modules, dict.fromkeys(modules, skip), tmp_path)


@pytest.mark.parametrize(
    "depth", [20, *(pytest.param(depth, marks=pytest.mark.slow) for depth in (32, 44, 56))]
)
def test_the_networks_of_the_paper_as_their_authors_wrote_them(depth):
    n, model = OPTION_A[depth], published.option_a(depth)
    places = [f"layer{stage}_{i}" for stage in (1, 2, 3) for i in range(n // 3)]
    chain = check(model, places)
    assert chain.downsampling == (n // 3 + 1, 2 * n // 3 + 1)
    table = chain.summary_table()
    assert tuple(table["module"][table["skip"] != "identity"]) == chain.downsampling
